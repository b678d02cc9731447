"""Tidy tables as Parquet: typed columns that carry their own description, the same bytes for the same data.

A table carries a digest of its columns, their types and descriptions, and its values: Parquet's own checksums are of
the values alone, so that a file with a damaged footer could be read as another table.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError, safe_open

if TYPE_CHECKING:
    from torch import Tensor  # not otherwise: a stage that draws needs tables alone, and torch takes seconds to import

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


def save_tensors(tensors: dict[str, "Tensor"], path: Path) -> None:
    """Write a safetensors file that says what it holds by a digest, since safetensors sees no flipped bit.

    Raises:
        OSError: it cannot be written.
    """
    from safetensors.torch import save_file

    try:
        save_file(tensors, path, {"sha256": _tensors_digest(tensors)})
    except SafetensorError as error:
        raise OSError(str(error)) from error


def load_tensors(path: Path) -> dict[str, "Tensor"]:
    """Read a safetensors file that `save_tensors` wrote.

    Raises:
        FileNotFoundError, ValueError: the file is missing, or is not what was written.
    """
    try:
        with safe_open(path, "pt") as file:
            written, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path} is not a readable safetensors file: {error}") from error
    if (written or {}).get("sha256") != _tensors_digest(tensors):
        raise ValueError(f"{path} is not a readable safetensors file: it does not hold what was written")
    return tensors


def _tensors_digest(tensors: dict[str, "Tensor"]) -> str:
    digest = sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def folder_of(keys: Mapping[str, float]) -> str:
    """What the folder of an SAE with these keys is called, `k=9/seed=0`: the same for equal values alone."""
    return "/".join(f"{name}={str(value).removesuffix('.0')}" for name, value in keys.items())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file.

    Raises:
        FileNotFoundError, ValueError: it is missing, is not readable, or, later, has not the key that is asked for.
    """

    class Document(dict[str, Any]):
        def __missing__(self, key: str) -> Any:
            raise ValueError(f"{path} has no `{key}`")

    try:
        return json.loads(path.read_text(encoding="utf-8"), object_hook=Document)
    except ValueError as error:
        raise ValueError(f"{path} is not a readable JSON file: {error}") from error
