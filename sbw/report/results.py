"""What the report is made from, and the few questions that all its parts ask of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

import pandas as pd

from sbw.params import Params
from sbw.params.training import Experiment, Mixing

E = TypeVar("E", bound=Experiment)


@dataclass(frozen=True)
class Results:
    """The tables of a run of the pipeline, by the name of the stage or experiment that they are of."""

    params: Params
    toy_stats: Mapping[str, Any]
    """`stats.json` of the sweep's toy."""
    pretrained: pd.DataFrame
    """The public SAEs, with the columns of `sbw.directory.SCHEMA`."""
    projections: pd.DataFrame
    """Of the sweep, with the columns of `sbw.evaluation.PROJECTIONS`."""
    cosines: pd.DataFrame
    """Of the sweep, with the columns of `sbw.evaluation.COSINES`."""
    saes: Mapping[str, pd.DataFrame]
    """Of `sweep` and of every experiment but the mixing ones, with the columns of `sbw.evaluation.SAES`."""
    mixing: Mapping[str, pd.DataFrame]
    """Of every mixing experiment, with the columns of `sbw.mixing.MIXING`."""
    recommendation: Mapping[str, Any]
    """Of the sweep, as `sbw.evidence.summary` has it."""
    automatic: pd.DataFrame
    """The path of an L0 that moves itself, with the columns of `sbw.automatic_l0.PATH`."""

    def experiment(self, name: str, kind: type[E]) -> E | None:
        """The params of an experiment, if there is one of that name and kind."""
        found = self.params.experiments.get(name)
        return found if isinstance(found, kind) else None

    def saes_of(self, name: str, kind: type[Experiment]) -> pd.DataFrame | None:
        """The SAEs of an experiment, if there is one of that name and kind."""
        return self.saes[name] if self.experiment(name, kind) else None

    def saes_trained(self, name: str) -> int:
        """How many SAEs an experiment, or the sweep, trained."""
        table = self.mixing_of(name)
        return len(trained(self.saes[name]) if table is None else table)

    def mixing_of(self, name: str) -> pd.DataFrame | None:
        """How much of feature 0 each SAE of a mixing experiment holds, if there is one of that name.

        A row an SAE: `rho`, `k`, `seed` and `mixing`, the mean over its latents.
        """
        if not self.experiment(name, Mixing):
            return None
        return self.mixing[name].groupby(["rho", "k", "seed"])["mixing"].mean().reset_index()


def trained(saes: pd.DataFrame, k: float | None = None) -> pd.DataFrame:
    """The rows of trained SAEs, of one k or of all."""
    rows = saes[saes["variant"] == "trained"]
    return rows if k is None else rows[rows["k"] == k]


def truth(saes: pd.DataFrame, k: float) -> "pd.Series[Any] | None":
    """The row of the true features forced to k latents a sample, if that k is in the table."""
    rows = saes[(saes["variant"] == "truth") & (saes["k"] == k)]
    return None if rows.empty else rows.iloc[0]


def groups(table: pd.DataFrame, *keys: str) -> list[tuple[Any, pd.DataFrame]]:
    """The rows of each value of a key, or of each combination of keys, in their order."""
    return list(table.groupby(keys[0] if len(keys) == 1 else list(keys)))


def means(saes: pd.DataFrame, column: str) -> "pd.Series[float]":
    """The mean over seeds of a column of the trained SAEs, by k, in the order of k."""
    return trained(saes).groupby("k")[column].mean()


def brackets(values: "pd.Index[Any] | pd.Series[Any]", low: float, high: float) -> bool:
    """Whether there are values below, inside and above an interval, so that a minimum in it means something."""
    inside = (values >= low) & (values <= high)
    return bool((values < low).any() and inside.any() and (values > high).any())


def level_runs(projections: pd.DataFrame) -> list[tuple[float, list[int]]]:
    """Where the sweep's s_n comes to its floor, for n = 12 … 25: successive n of the same k, after that k.

    It is the first k whose s_n, mean over seeds, lies within 0.01 of the least of all k.
    """
    rows = projections[(projections["variant"] == "trained") & projections["n"].between(12, 25)]
    levels = [(n, _first_level(of_n.groupby("k")["s_n"].mean())) for n, of_n in groups(rows, "n")]
    return [(k, [n for n, _ in run]) for k, run in groupby(levels, key=lambda level: level[1])]


def levels_by_seed(projections: pd.DataFrame, ns: list[int]) -> list[float]:
    """That k for each seed alone and each of some n."""
    rows = projections[(projections["variant"] == "trained") & projections["n"].isin(ns)]
    return [_first_level(of_one.groupby("k")["s_n"].mean()) for _, of_one in groups(rows, "seed", "n")]


def _first_level(s_n: "pd.Series[float]") -> float:
    return float(s_n.index[s_n <= s_n.min() + 0.01][0])
