"""The SAEs of a sweep on a language model: their names, their tables, and where their L0 lies."""

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from sbw.files import folder_of, load_table

_SUMMARISED = ["l0", "variance_explained_about_mean", "ce_loss_score", "c_dec", "c_dec_over_null", "c_dec_of_firing",
               "coherence", "coherence_pursuit", "coherent_latents", "dead_latents", "dense_latents"]  # fmt: skip


class SweptSae(NamedTuple):
    """An SAE of the sweep."""

    k: float
    """Active latents per token that it is trained for."""
    seed: int
    """Seed of its initial weights."""

    @property
    def name(self) -> str:
        """Its folder in that of the sweep."""
        return folder_of({"k": self.k, "seed": self.seed})


def swept(ks: Iterable[float], seeds: Iterable[int]) -> list[SweptSae]:
    """The SAEs of these k, each with every seed."""
    return [SweptSae(k, seed) for k, seed in product(ks, seeds)]


class Recommended(NamedTuple):
    """The L0 that a sweep recommends; None throughout where it names none."""

    l0: float | None
    """The L0."""
    low: float | None
    """Lower end of its interval."""
    high: float | None
    """Upper end of it."""

    def place_of(self, l0: float) -> str:
        """Whether an L0 is too low, right or too high by the interval; empty where there is none."""
        if self.low is None or self.high is None:
            return ""
        return "too low" if l0 < self.low else "too high" if l0 > self.high else "right"


def recommended(document: dict[str, Any]) -> Recommended:
    """What a `summary` of verdicts recommends."""
    return Recommended(document["l0"], document["low"], document["high"])


def load_measured(folder: Path, cells: Iterable[str], *names: str) -> list[pd.DataFrame]:
    """The tables of these names, each of all cells together, by rising k."""
    return [
        pd.concat([load_table(folder / cell / f"{name}.parquet") for cell in cells]).sort_values(
            "k", kind="stable", ignore_index=True
        )
        for name in names
    ]


def sweep_summary(saes: pd.DataFrame, stability: pd.DataFrame) -> list[dict[str, float]]:
    """The main numbers of each k, means over its seeds, by rising k, to five digits; unknown ones are left out."""
    means = saes.groupby("k")[_SUMMARISED].mean().join(stability.groupby("k")["agreement"].mean())
    rows = means.reset_index().to_dict("records")
    return [{str(name): float(f"{value:.5g}") for name, value in row.items() if pd.notna(value)} for row in rows]
