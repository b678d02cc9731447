"""Texts to harvest activations from and to evaluate on: those of sae-probes, each once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from sbw.files import column, save_table
from sbw.run.errors import UserError, not_found, reading

CORPUS = pa.schema(
    [
        column("text", pa.string(), "a text of sae-probes, unchanged"),
        column("dataset", pa.string(), "first dataset, in alphabetical order, or file that has the text"),
    ]
)
SPLITS = ("train", "held_out")


def texts_of_probes() -> pd.DataFrame:
    """Every text of sae-probes' datasets once, in the datasets' alphabetical order, with the columns of `CORPUS`."""
    from sae_probes.constants import DATA_PATH

    paths = sorted(Path(DATA_PATH).rglob("cleaned_data/*.csv.zst"))
    texts = pd.concat([_texts_of(path) for path in paths], ignore_index=True)
    written = texts[texts["text"].notna() & (texts["text"].str.strip() != "")]
    return written.drop_duplicates("text", ignore_index=True)


def texts_of_files(path: Path) -> pd.DataFrame:
    """The texts of a file, or of all files in a folder, in the order of their names, with the columns of `CORPUS`.

    Of a `.parquet` or `.jsonl` file the column `text`; a `.txt` file is one text.

    Raises:
        FileNotFoundError, UserError: there is no such file or folder, or one is not readable or has no text.
    """
    if not path.exists():
        raise not_found(path)
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.suffix in _READERS)
    if not files or files[0].suffix not in _READERS:
        raise UserError(f"{path} must be of {', '.join(_READERS)}, or a folder of such files")
    found = []
    for file in files:
        with reading(file, f"{file.suffix} file of texts"):
            found.append(pd.DataFrame({"text": _READERS[file.suffix](file), "dataset": file.stem}, dtype=str))
    texts = pd.concat(found, ignore_index=True)
    texts = texts[texts["text"].notna() & (texts["text"].str.strip() != "")].reset_index(drop=True)
    if not len(texts):
        raise UserError(f"{path} holds no text")
    return texts


def split(texts: pd.DataFrame, held_out: float, seed: int) -> dict[str, pd.DataFrame]:
    """The texts in an order drawn from `seed`: a share `held_out` of them, and the rest."""
    order = np.random.default_rng(seed).permutation(len(texts))
    first = round(held_out * len(texts))
    return {
        "held_out": texts.iloc[order[:first]].reset_index(drop=True),
        "train": texts.iloc[order[first:]].reset_index(drop=True),
    }


def save_corpus(splits: dict[str, pd.DataFrame], folder: Path) -> None:
    """Write each split as a folder of Parquet, which is what SAELens and `datasets` take."""
    for name, texts in splits.items():
        (folder / name).mkdir()
        save_table(texts, CORPUS, folder / name / "texts.parquet")


def _column(table: pd.DataFrame) -> "pd.Series[str]":
    if "text" not in table.columns:
        raise UserError(f"it must have a column `text`, got {', '.join(map(str, table.columns)) or 'none'}")
    return table["text"]


_READERS: dict[str, Callable[[Path], Any]] = {
    ".parquet": lambda path: _column(pd.read_parquet(path)),
    ".jsonl": lambda path: _column(pd.read_json(path, lines=True)),
    ".txt": lambda path: [path.read_text(encoding="utf-8")],
}


def _texts_of(path: Path) -> pd.DataFrame:
    texts = pd.read_csv(path, usecols=["prompt"], dtype=str).rename(columns={"prompt": "text"})
    return texts.assign(dataset=path.name.removesuffix(".csv.zst"))
