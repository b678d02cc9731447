"""Tidy tables as Parquet: typed columns that carry their own description, the same bytes for the same data.

A table carries a digest of its columns, their types and descriptions, and its values: Parquet's own checksums are of
the values alone, so that a file with a damaged footer could be read as another table.
"""

from hashlib import sha256
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

_DIGEST = b"sha256"


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
    table = table.replace_schema_metadata(schema.metadata)
    metadata = {**(schema.metadata or {}), _DIGEST: _digest(table.schema, table.to_pandas())}
    pq.write_table(table.replace_schema_metadata(metadata), path, write_page_checksum=True)


def load_table(path: Path) -> pd.DataFrame:
    """Read a Parquet table.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a readable Parquet table, or not what `save_table` wrote.
    """
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        frame = table.to_pandas()
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{path} is not a readable Parquet table: {error}") from error
    if (table.schema.metadata or {}).get(_DIGEST) != _digest(table.schema, frame):
        raise ValueError(f"{path} is not what was written")
    return frame


def _digest(schema: pa.Schema, frame: pd.DataFrame) -> bytes:
    columns = [(field.name, str(field.type), sorted((field.metadata or {}).items())) for field in schema]
    of_all = sorted((key, value) for key, value in (schema.metadata or {}).items() if key != _DIGEST)
    values = pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()
    return sha256(repr((columns, of_all)).encode() + values).hexdigest().encode()
