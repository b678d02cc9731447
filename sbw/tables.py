"""Tidy tables as Parquet: typed columns that carry their own description, the same bytes for the same data."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


def column(name: str, kind: pa.DataType, description: str) -> pa.Field:
    """A column of a table's schema, with what it holds and in which unit."""
    return pa.field(name, kind, metadata={"description": description})


def save_table(frame: pd.DataFrame, schema: pa.Schema, path: Path) -> None:
    """Write `frame` with exactly the columns and types of `schema`.

    Raises:
        ValueError: the columns differ from the schema's.
    """
    if list(frame.columns) != schema.names:
        raise ValueError(f"{path}: the columns must be {schema.names}, got {list(frame.columns)}")
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    # pandas describes itself in the metadata of its own tables; drop that, so that the bytes depend on the data alone.
    pq.write_table(table.replace_schema_metadata(schema.metadata), path, write_page_checksum=True)


def load_table(path: Path) -> pd.DataFrame:
    """Read a Parquet table.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a readable Parquet table.
    """
    try:
        return pq.read_table(path, page_checksum_verification=True).to_pandas()
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{path} is not a readable Parquet table: {error}") from error
