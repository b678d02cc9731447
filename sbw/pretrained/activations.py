"""Activations from files of the usual formats, streamed as float32.

Shapes: b samples, d width of the activations.
"""

import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor

from sbw.pretrained.formats import refuse_pointer
from sbw.pretrained.names import numbers_as_numbers, plain
from sbw.run.errors import UserError, not_found, reading, require_finite

Rows = Iterator[Float[Tensor, "b d"]]
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


def read_activations(path: Path, rows: int | None = None, chunk: int = 4096) -> Rows:
    """Stream activations, a sample per row, from a file or from a folder of such files (shards) in the order of names.

    Of a `.safetensors` file or a `.npz` the one tensor; of a `.npy` the array; of a `.parquet` the one column of lists,
    else all columns, one per dimension. Only a chunk of them is in memory, a Parquet file's row group, or a `.npz` in
    the order of Fortran.

    Args:
        path: of the file or folder.
        rows: at most this many samples; all of them if None.
        chunk: samples at once, at most.

    Raises:
        FileNotFoundError, UserError: while it is streamed; a file is missing, is not readable, or holds no finite
            activations of the width of the others.
    """
    first, width, left = path, None, rows
    for shard in _shards(path) if rows != 0 else []:
        for x in _read(shard, chunk):
            first, width = (shard, x.shape[1]) if width is None else (first, width)
            if x.shape[1] != width:
                raise UserError(f"{shard} must hold activations of width {width}, as {first} does, got {x.shape[1]}")
            require_finite({"activations": x[:left]}, shard)
            yield x[:left]
            left = None if left is None else left - len(x)
            if left is not None and left <= 0:
                return


def width_of(path: Path) -> int:
    """The width d of the activations in a file or folder, of which it reads one sample.

    Raises:
        FileNotFoundError, UserError: as `read_activations`; or there is no sample.
    """
    x = next(read_activations(path, rows=1, chunk=1), None)
    if x is None:
        raise UserError(f"{path} holds no activations: it has no rows")
    return x.shape[1]


def _shards(path: Path) -> list[Path]:
    if not path.exists():
        raise not_found(path)
    if path.is_file():
        if path.suffix not in _READERS:
            raise UserError(f"{path} must be of {', '.join(_READERS)}, or a folder of such files")
        return [path]
    shards = [each for each in path.iterdir() if each.suffix in _READERS and not each.name.startswith(".")]
    if not shards:
        raise UserError(f"{path} holds no activations: no file in it is of {', '.join(_READERS)}")
    return sorted(shards, key=lambda each: numbers_as_numbers(each.name))


def _read(shard: Path, chunk: int) -> Rows:
    with reading(shard, f"{shard.suffix} file of activations"):
        refuse_pointer(shard)
        yield from _READERS[shard.suffix](shard, chunk)


def _safetensors(path: Path, chunk: int) -> Rows:
    with safe_open(path, "pt") as file:
        whole = file.get_slice(_one(path, "tensor", list(file.keys())))
        n = _rows_of(path, whole.get_shape())
        for start in range(0, n, chunk):
            yield _number(path, whole[start : min(start + chunk, n)])


def _npy(path: Path, chunk: int) -> Rows:
    with path.open("rb") as file:
        n = _rows_of(path, _header(path, file)[0])
    whole = np.load(path, mmap_mode="r" if n else None, allow_pickle=False)
    for start in range(0, n, chunk):
        yield _as_tensor(path, whole[start : start + chunk])


def _npz(path: Path, chunk: int) -> Rows:
    """A stored array is read as it is unpacked: `np.load` would unpack it whole."""
    with zipfile.ZipFile(path) as archive, archive.open(_one(path, "array", archive.namelist())) as file:
        shape, by_columns, kind = _header(path, file)
        n = _rows_of(path, shape)
        if by_columns:
            whole = np.frombuffer(file.read(), kind).reshape(shape, order="F")
        for start in range(0, n, chunk):
            count = min(chunk, n - start)
            part = whole[start : start + count] if by_columns else _part(file, count, shape[1], kind)
            yield _as_tensor(path, part)


def _part(file: IO[bytes], count: int, width: int, kind: np.dtype[Any]) -> NDArray[Any]:
    return np.frombuffer(file.read(count * width * kind.itemsize), kind).reshape(count, width)


def _header(path: Path, file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether it is in the order of Fortran, and kind of an array of numpy's format; `file` is then at its data.

    Objects, which only a pickle can restore, are refused.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, kind = read(file)
    if kind.kind not in "fiu":
        raise UserError(f"{path} must hold numbers, got `{kind}`")
    return shape, by_columns, kind


def _parquet(path: Path, chunk: int) -> Rows:
    file = pq.ParquetFile(path)
    columns = [field for field in file.schema_arrow if not _PANDAS_INDEX.fullmatch(field.name)]
    lists = [field.name for field in columns if _is_list(field.type) and _is_number(field.type.value_type)]
    if lists:
        rows_of, names = _of_lists, [_one(path, "column of lists", lists)]
    else:
        rows_of, names = _of_columns, [field.name for field in columns]
        if not columns or not all(_is_number(field.type) for field in columns):
            found = ", ".join(plain(f"{field.name} ({field.type})") for field in columns[:8]) or "none"
            raise UserError(
                f"{path} must have one column of lists of numbers, or columns of numbers alone, got {found}"
            )
    for batch in file.iter_batches(batch_size=chunk, columns=names):
        if batch.num_rows:
            yield _as_tensor(path, rows_of(path, batch))


def _of_lists(path: Path, batch: pa.RecordBatch) -> NDArray[Any]:
    lengths = pc.unique(pc.list_value_length(batch.column(0))).to_pylist()
    if len(lengths) > 1 or not lengths[0]:
        some = ", ".join(str(length) for length in lengths[:3])
        raise UserError(
            f"{path} must have a list of the same length in every row of `{batch.schema.names[0]}`, got {some}"
        )
    return batch.column(0).flatten().to_numpy(zero_copy_only=False).reshape(batch.num_rows, lengths[0])


def _of_columns(path: Path, batch: pa.RecordBatch) -> NDArray[Any]:  # noqa: ARG001
    return np.stack([column.to_numpy(zero_copy_only=False) for column in batch.columns], axis=1)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_integer(kind)


def _one(path: Path, thing: str, names: list[str]) -> str:
    if len(names) != 1:
        found = ", ".join(plain(name) for name in sorted(names)[:8]) or "none"
        raise UserError(f"{path} must hold one {thing}, got {len(names)}: {found}")
    return names[0]


def _rows_of(path: Path, shape: tuple[int, ...] | list[int]) -> int:
    if len(shape) != 2 or not shape[1]:
        raise UserError(f"{path} must hold a matrix of activations, a sample per row, got the shape {list(shape)}")
    return shape[0]


def _number(path: Path, x: Tensor) -> Float[Tensor, "b d"]:
    if x.is_complex() or x.dtype == torch.bool:
        raise UserError(f"{path} must hold numbers, got `{str(x.dtype).removeprefix('torch.')}`")
    return x.float()


def _as_tensor(path: Path, x: NDArray[Any]) -> Float[Tensor, "b d"]:
    """The conversion is torch's: numpy warns of what becomes Inf, which is refused anyway."""
    return _number(path, torch.from_numpy(np.array(x, dtype=x.dtype.newbyteorder("="), order="C")))


_READERS: dict[str, Callable[[Path, int], Rows]] = {
    ".safetensors": _safetensors,
    ".npy": _npy,
    ".npz": _npz,
    ".parquet": _parquet,
}
