"""What the report is made from, and the few questions that all its parts ask of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import pandas as pd

from sbw.params import Params
from sbw.params.training import Mixing
from sbw.report.presupposed import PRESUPPOSED


@dataclass(frozen=True)
class Results:
    """The tables of a run of the pipeline; schemas in `sbw.metrics`, `sbw.pretrained` and `sbw.verdict`."""

    params: Params
    toy_stats: Mapping[str, Any]
    """`stats.json` of the sweep's toy."""
    pretrained: pd.DataFrame
    """The public SAEs."""
    projections: pd.DataFrame
    """Of the sweep."""
    cosines: pd.DataFrame
    """Of the sweep."""
    saes: Mapping[str, pd.DataFrame]
    """One row per SAE, of `sweep` and of every experiment but the mixing ones."""
    mixing: Mapping[str, pd.DataFrame]
    """One row per SAE and latent, of every mixing experiment."""
    recommendation: Mapping[str, Any]
    """Of the sweep."""
    automatic: pd.DataFrame
    """The path of each L0 that moves itself."""

    def is_papers(self, name: str) -> bool:
        """Whether there is an experiment of that name that is of the kind that the claims on it presuppose."""
        kind = PRESUPPOSED.get(name, {}).get(f"experiments.{name}.kind")
        return kind is not None and name in self.params.experiments and self.params.experiments[name].kind == kind

    def saes_of(self, name: str) -> pd.DataFrame:
        """The SAEs of one of the paper's experiments; no row where the params have none of its kind."""
        return self.saes[name] if self.is_papers(name) else self.saes["sweep"].iloc[:0]

    def mixing_of(self, name: str) -> pd.DataFrame:
        """One row per SAE of a mixing experiment: `rho`, `k`, `seed` and `mixing`, the mean over its latents.

        No row where the params have no mixing experiment of that name.
        """
        if not isinstance(self.params.experiments.get(name), Mixing):
            return pd.DataFrame(columns=["rho", "k", "seed", "mixing"], dtype=float)
        return self.mixing[name].groupby(["rho", "k", "seed"])["mixing"].mean().reset_index()


def trained(saes: pd.DataFrame, k: float | None = None) -> pd.DataFrame:
    """The rows of trained SAEs, of one k or of all."""
    rows = saes[saes["variant"] == "trained"]
    return rows if k is None else rows[rows["k"] == k]


def truth(saes: pd.DataFrame) -> dict[float, "pd.Series[Any]"]:
    """The row of the true features forced to k latents per sample, by k."""
    return {row["k"]: row for _, row in saes[saes["variant"] == "truth"].iterrows()}


def groups(table: pd.DataFrame, *keys: str) -> list[tuple[Any, pd.DataFrame]]:
    """The rows of each value of a key, or of each combination of keys, in their order."""
    return list(table.groupby(keys[0] if len(keys) == 1 else list(keys)))


def explained_above_truth(saes: pd.DataFrame) -> dict[float, float]:
    """By k, the variance explained about zero of the trained SAEs (mean over seeds) less that of the true features."""
    column, true = "variance_explained_about_zero", truth(saes)
    means = trained(saes).groupby("k")[column].mean()
    return {float(k): float(mean - true[k][column]) for k, mean in means.items() if k in true}


def floor_runs(projections: pd.DataFrame) -> list[tuple[float, list[int]]]:
    """Where the sweep's s_n reaches its floor, for n = 12 … 25: successive n of one k, with that k."""
    rows = projections[(projections["variant"] == "trained") & projections["n"].between(12, 25)]
    runs = groupby(((n, floor(of_n)) for n, of_n in groups(rows, "n")), key=itemgetter(1))
    return [(k, [n for n, _ in run]) for k, run in runs]


def floor(of_n: pd.DataFrame) -> float:
    """The first k whose s_n, mean over the seeds, is at most 0.01 above the minimum over k; from the rows of one n."""
    s_n = of_n.groupby("k")["s_n"].mean()
    return float(s_n.index[s_n <= s_n.min() + 0.01][0])
