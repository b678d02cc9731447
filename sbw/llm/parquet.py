"""Texts in files of Parquet, streamed by pyarrow itself.

`datasets` gives pyarrow Python's own files; a process that ends before it has read all of one then waits forever for
pyarrow's threads, which wait for Python.
"""

from collections.abc import Iterator

import pyarrow.parquet as pq
from datasets import IterableDataset

from sbw.run.errors import UserError


def stream_texts(files: list[str], column: str = "text") -> IterableDataset:
    """The rows of a column of files, in their order, read as they are needed.

    Raises, when it is read:
        UserError: a file has no such column.
    """
    return IterableDataset.from_generator(_rows, gen_kwargs={"files": files, "column": column})


def _rows(files: list[str], column: str) -> Iterator[dict[str, str | None]]:
    for file in files:
        with pq.ParquetFile(file) as opened:
            names = opened.schema_arrow.names
            if column not in names:
                raise UserError(f"{file} has no column {column!r}, it has: {', '.join(names)}")
            for batch in opened.iter_batches(columns=[column]):
                yield from batch.to_pylist()
