"""Texts in files of Parquet, JSON lines or text, streamed.

Without `datasets`' own readers: that of Parquet gives pyarrow Python's files, so that a process that ends before it has
read all of one waits forever; that of JSON lines refuses files whose other columns change their type.
"""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import IterableDataset

from sbw.run.errors import UserError, not_found, reading

_AT_ONCE = 1000
"""Texts of a file that are in memory."""


def texts_in(path: Path, column: str = "text") -> IterableDataset:
    """The rows of a file, or of all files in a folder, in the order of their names, each with its `text`.

    Raises:
        FileNotFoundError, UserError: there is no such file or folder; or, when it is read, one is not readable or has
            no such column.
    """
    if not path.exists():
        raise not_found(path)
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    known = [str(file) for file in files if _reader_of(file)]
    if not known:
        raise UserError(f"{path} must be of {', '.join(READERS)}, or a folder of such files")
    return IterableDataset.from_generator(_rows, gen_kwargs={"files": known, "column": column})


def _rows(files: list[str], column: str) -> Iterator[dict[str, Any]]:
    for file in files:
        reader = _reader_of(Path(file))
        assert reader, "others are left out"
        with reading(Path(file), "file of texts"):
            for text in reader(file, column):
                yield {"text": text}


def _of_parquet(file: str, column: str) -> Iterator[Any]:
    with pq.ParquetFile(file) as opened:
        _require_column(column, opened.schema_arrow.names, file)
        for batch in opened.iter_batches(_AT_ONCE, columns=[column]):
            yield from batch.column(0).to_pylist()


def _of_json_lines(file: str, column: str) -> Iterator[Any]:
    with pa.input_stream(file, compression="detect") as opened:
        for line in io.TextIOWrapper(opened, encoding="utf-8"):
            if line.strip():
                row = json.loads(line)
                _require_column(column, list(row), file)
                yield row[column]


def _of_text(file: str, _: str) -> Iterator[Any]:
    yield Path(file).read_text(encoding="utf-8")


def _require_column(column: str, names: list[str], file: str) -> None:
    if column not in names:
        raise UserError(f"{file} has no column {column!r}, it has: {', '.join(names) or 'none'}")


def _reader_of(file: Path) -> Callable[[str, str], Iterator[Any]] | None:
    return next((reader for suffix, reader in READERS.items() if file.name.endswith(suffix)), None)


READERS: dict[str, Callable[[str, str], Iterator[Any]]] = {
    ".parquet": _of_parquet,
    ".jsonl": _of_json_lines,
    ".jsonl.gz": _of_json_lines,
    ".jsonl.zst": _of_json_lines,
    ".txt": _of_text,
}
"""The files that texts are read from; a `.txt` file is one text."""
