"""Texts to harvest activations from and to evaluate on: of sae-probes, of files, or of a dataset on the hub."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import load_dataset

from sbw.files import column
from sbw.llm.texts_on_disk import READERS, texts_in
from sbw.params.llm import Corpus
from sbw.run.errors import UserError

CORPUS = pa.schema([column("text", pa.string(), "a text, unchanged")])
SPLITS = ("train", "held_out")
PROBES = "sae-probes"
_SHUFFLED = 10_000
"""Texts among which the next one is drawn."""
_ROWS = 10_000
"""Texts per row group of Parquet: so many are held in memory."""


def texts_of(corpus: Corpus) -> Iterator[str]:
    """The texts of `corpus.source` that are not empty, as many as `corpus.texts`, in an order drawn from its seed.

    Those of sae-probes are permuted. Others are drawn from a buffer of 10,000 texts, which ten files at a time fill;
    the order of the files is drawn too.

    Raises:
        FileNotFoundError, UserError: there is no such source, or it cannot be read or has no such column of texts.
    """
    if corpus.source == PROBES:
        texts = texts_of_probes()
        found: Iterator[Any] = (texts[i] for i in np.random.default_rng(corpus.seed).permutation(len(texts)))
    elif _is_path(corpus.source):
        rows = texts_in(Path(corpus.source), corpus.column).shuffle(corpus.seed, buffer_size=_SHUFFLED)
        found = (row["text"] for row in rows)
    else:
        found = _of_hub(corpus)
    yield from islice(_written(found, f"`corpus.column`: {corpus.column!r} of {corpus.source}"), corpus.texts)


def texts_of_probes() -> list[str]:
    """Every text of sae-probes' datasets once, in the datasets' alphabetical order."""
    from sae_probes.constants import DATA_PATH

    paths = sorted(Path(DATA_PATH).rglob("cleaned_data/*.csv.zst"))
    texts = pd.concat([pd.read_csv(path, usecols=["prompt"], dtype=str)["prompt"] for path in paths])
    return texts.dropna().drop_duplicates().tolist()


def texts_of_files(path: Path) -> Iterator[str]:
    """The texts of a file, or of all files in a folder, in the order of their names, that are not empty.

    Raises:
        FileNotFoundError, UserError: there is no such file or folder, or one is not readable or has no column `text`.
    """
    return _written((row["text"] for row in texts_in(path)), f"the column `text` of {path}")


def write_corpus(texts: Iterable[str], held_out: float, seed: int, folder: Path) -> dict[str, int]:
    """Write each of `SPLITS` as a folder of Parquet, which is what SAELens and `datasets` take.

    A text's own hash, salted by `seed`, decides whether it is held out, so that copies of a text are never on both
    sides, and a longer corpus holds out the same texts and more.

    Returns:
        How many texts each split has.

    Raises:
        UserError: one has none.
    """
    counts: Counter[str] = Counter()
    sides: dict[str, list[str]] = defaultdict(list)
    writers = {name: _open_writer(folder / name) for name in SPLITS}
    try:
        for text in texts:
            name = "held_out" if _share(text, seed) < held_out else "train"
            sides[name].append(text)
            counts[name] += 1
            if len(sides[name]) == _ROWS:
                _write(writers[name], sides.pop(name))
        for name, rest in sides.items():
            _write(writers[name], rest)
    finally:
        for writer in writers.values():
            writer.close()
    if len(counts) < len(SPLITS):
        raise UserError(f"`corpus.source` has {counts.total()} texts: too few to hold out a share of {held_out}")
    return counts


def write_texts(texts: Iterator[str], folder: Path) -> int:
    """Write all texts as one folder of Parquet, and return their number."""
    count = 0
    with _open_writer(folder) as writer:
        while rows := list(islice(texts, _ROWS)):
            _write(writer, rows)
            count += len(rows)
    return count


def _written(texts: Iterable[Any], where: str) -> Iterator[str]:
    """Those that are not empty. Halves of characters, which UTF-8 does not have, become question marks."""
    for text in texts:
        if text is not None and not isinstance(text, str):
            raise UserError(f"{where} must hold texts, got {type(text).__name__}")
        if text and text.strip():
            yield text.encode("utf-8", "replace").decode()


def _share(text: str, seed: int) -> float:
    digest = blake2b(text.encode(), digest_size=8, salt=seed.to_bytes(8, "little")).digest()
    return int.from_bytes(digest, "little") / 2**64


def _open_writer(folder: Path) -> pq.ParquetWriter:
    folder.mkdir()
    return pq.ParquetWriter(folder / "texts.parquet", CORPUS, write_page_checksum=True)


def _write(writer: pq.ParquetWriter, texts: list[str]) -> None:
    writer.write_table(pa.table({"text": texts}, schema=CORPUS))


def _is_path(source: str) -> bool:
    return Path(source).exists() or source.startswith((".", "/")) or source.endswith(tuple(READERS))


def _of_hub(corpus: Corpus) -> Iterator[Any]:
    name = corpus.source
    try:
        rows = load_dataset(name, corpus.subset, split=corpus.split, revision=corpus.revision, streaming=True)
        for row in rows.shuffle(corpus.seed, buffer_size=_SHUFFLED):
            if corpus.column not in row:
                raise UserError(f"`corpus.column`: {name} has no column {corpus.column!r}, it has: {', '.join(row)}")
            yield row[corpus.column]
    except (OSError, ValueError, RuntimeError) as error:
        refused = f"`corpus.source`: {name!r} is neither `{PROBES}` nor a file or folder, and cannot be read on the hub"
        if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
            raise UserError(f"{refused}, since HF_HUB_OFFLINE is set: unset it to allow the look-up") from error
        raise UserError(f"{refused}: {str(error).splitlines()[0]}") from error
