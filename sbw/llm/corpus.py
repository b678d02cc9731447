"""Texts to harvest activations from and to evaluate on: those of sae-probes, each once."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from sbw.files import column, save_table

CORPUS = pa.schema(
    [
        column("text", pa.string(), "a text of sae-probes, unchanged"),
        column("dataset", pa.string(), "first dataset, in alphabetical order, that has the text"),
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


def _texts_of(path: Path) -> pd.DataFrame:
    texts = pd.read_csv(path, usecols=["prompt"], dtype=str).rename(columns={"prompt": "text"})
    return texts.assign(dataset=path.name.removesuffix(".csv.zst"))
