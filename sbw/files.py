"""Reads and writes tables, tensors and JSON: the same data has the same bytes, and errors name the file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from torch import Tensor  # torch takes seconds to import, and a stage that draws reads only tables

from sbw.run.errors import UserError, reading, require_finite


def column(name: str, kind: pa.DataType, description: str) -> pa.Field:
    """A column of a table's schema; the description names the unit."""
    return pa.field(name, kind, metadata={"description": description})


def save_table(frame: pd.DataFrame, schema: pa.Schema, path: Path) -> None:
    """Write `frame` as Parquet, with exactly the columns and types of `schema`.

    Raises:
        ValueError: the columns differ from the schema's.
    """
    if list(frame.columns) != schema.names:
        raise ValueError(f"{path}: the columns must be {schema.names}, got {list(frame.columns)}")
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    # pandas adds metadata of its own; without it the bytes depend on the data alone.
    pq.write_table(table.replace_schema_metadata(schema.metadata), path, write_page_checksum=True)


def load_table(path: Path) -> pd.DataFrame:
    """Read a Parquet table.

    Raises:
        FileNotFoundError, UserError: it is missing or not readable.
    """
    with reading(path, "Parquet table"):
        return pq.read_table(path, page_checksum_verification=True).to_pandas()


def load_tensors(path: Path) -> dict[str, "Tensor"]:
    """Read a safetensors file.

    Raises:
        FileNotFoundError, UserError: it is missing, is not readable, or holds NaN or Inf.
    """
    from safetensors.torch import load_file

    with reading(path, "safetensors file"):
        tensors = load_file(path)
        require_finite(tensors, path)
    return tensors


def folder_of(keys: Mapping[str, float]) -> str:
    """The folder of an SAE with these keys, such as `k=9/seed=0`; different values have different folders."""
    return "/".join(f"{name}={str(value).removesuffix('.0')}" for name, value in keys.items())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises:
        FileNotFoundError, UserError: it is missing or not readable, or later lacks a requested key.
    """

    class Document(dict[str, Any]):
        def __missing__(self, key: str) -> Any:
            raise UserError(f"{path} has no `{key}`")

    with reading(path, "JSON file"):
        document = json.loads(path.read_text(encoding="utf-8"), object_hook=Document)
        if not isinstance(document, Document):
            raise TypeError(f"it must hold an object, got {document!r}")
    return document
