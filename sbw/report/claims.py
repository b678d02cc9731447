"""A claim of the paper beside our number, with its tolerance; and the claims about the toy and the sweep.

A claim is judged by the mean over the seeds, unless it is about each of them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd

from sbw.report.results import Results, brackets, groups, level_runs, levels_by_seed, means, trained, truth
from sbw.report.words import count, number, plain, ranges, spread

HOLDS, FAILS, NOT_TESTED = "yes", "**no**", "not tested here"
"""How the tables say whether a claim holds."""
RIGHT_K = 11
"""The k of the paper's toy that is nearest to its true L0."""


class Claim(NamedTuple):
    """One sentence of the paper that a number can contradict."""

    what: str
    paper: str
    """What the paper says, in figures."""
    ours: str
    """What we measured."""
    tolerance: str
    holds: bool | None
    """None: the params do not test it."""

    @property
    def verdict(self) -> str:
        """Whether it holds, in words."""
        return NOT_TESTED if self.holds is None else HOLDS if self.holds else FAILS


class Tolerance(NamedTuple):
    """What a number must be for a claim to hold."""

    words: str
    holds: Callable[[float], bool]


def below(limit: float) -> Tolerance:
    """Less than the limit."""
    return Tolerance(f"< {plain(limit)}", lambda value: value < limit)


def above(limit: float) -> Tolerance:
    """More than the limit."""
    return Tolerance(f"> {plain(limit)}", lambda value: value > limit)


def at_least(limit: float) -> Tolerance:
    """The limit or more."""
    return Tolerance(f"≥ {plain(limit)}", lambda value: value >= limit)


def between(low: float, high: float) -> Tolerance:
    """From `low` to `high`, both included."""
    return Tolerance(f"{low} to {high}", lambda value: low <= value <= high)


def near(value: float, by: float) -> Tolerance:
    """At most `by` away, but for rounding."""
    return Tolerance(f"± {plain(by)}", lambda ours: abs(ours - value) <= by + 1e-9)


def untested(what: str, paper: str, tolerance: str) -> Claim:
    """A claim that the params do not test."""
    return Claim(what, paper, "", tolerance, None)


def over_seeds(what: str, paper: str, values: "pd.Series[Any]", digits: int, tolerance: Tolerance) -> Claim:
    """A claim about the mean of a value over seeds; none measured: not tested."""
    if values.empty:
        return untested(what, paper, tolerance.words)
    return Claim(what, paper, spread(values, digits), tolerance.words, bool(tolerance.holds(values.mean())))


def measured(what: str, paper: str, values: "pd.Series[Any]", digits: int, tolerance: Tolerance) -> Claim:
    """A claim about the one value there is; none: not tested."""
    if values.empty:
        return untested(what, paper, tolerance.words)
    value = float(values.iloc[0])
    return Claim(what, paper, number(value, digits), tolerance.words, tolerance.holds(value))


def set_up_claims(results: Results) -> list[Claim]:
    """The toy is the paper's."""
    true_l0 = pd.Series([results.toy_stats["true_l0"]])
    return [measured("true L0 of the toy", "10.9525", true_l0, 4, near(10.9525, 0.05))]


def right_claims(results: Results) -> list[Claim]:
    """At the true L0 an SAE has a latent a feature."""
    rows, k = trained(results.saes["sweep"], RIGHT_K), f"k = {RIGHT_K}"
    explained = rows["variance_explained_about_zero"]
    return [
        over_seeds(f"{k}: MCC", "1, or 0.978 where a latent is stuck", rows["mcc"], 4, at_least(0.95)),
        over_seeds(f"{k}: variance explained about zero", "≈ 1", explained, 4, at_least(0.98)),
        over_seeds(f"{k}: c_dec", "lowest of all k", rows["c_dec"], 4, below(0.01)),
    ]


def low_claims(results: Results) -> list[Claim]:
    """Below it latents mix features."""
    rows = trained(results.saes["sweep"], 9)
    return [
        over_seeds("k = 9: c_dec", "features mix", rows["c_dec"], 4, above(0.015)),
        over_seeds("k = 9: MCC", "features mix", rows["mcc"], 4, below(0.95)),
    ]


def mse_claims(results: Results) -> list[Claim]:
    """Below it the wrong features reconstruct better than the true ones."""
    saes = results.saes["sweep"]
    true_mse = saes.loc[(saes["variant"] == "truth") & (saes["k"] == 5), "mse"]
    return [
        over_seeds("k = 5: MSE, trained", "2.73", trained(saes, 5)["mse"], 3, between(2.5, 2.9)),
        measured("k = 5: MSE, true features", "4.88", true_mse, 3, between(4.6, 5.0)),
        mse_below_truth("k = 9: MSE, trained and true features", "0.69 and 1.20 (SAELens, one seed)", saes, 9),
    ]


def mse_below_truth(what: str, paper: str, saes: pd.DataFrame, k: float) -> Claim:
    """The trained SAEs of a k have less MSE than the true features."""
    rows, true = trained(saes, k), truth(saes, k)
    tolerance = "trained < true features"
    if rows.empty or true is None:
        return untested(what, paper, tolerance)
    ours = f"{spread(rows['mse'], 3)} and {number(true['mse'], 3)}"
    return Claim(what, paper, ours, tolerance, bool(rows["mse"].mean() < true["mse"]))


def high_claims(results: Results) -> list[Claim]:
    """Above it SAEs are degenerate, which the MSE does not show."""
    saes = results.saes["sweep"]
    return [claim for k in (14, 18) for claim in _high_claims_at(saes, k)]


def _high_claims_at(saes: pd.DataFrame, k: float) -> list[Claim]:
    rows, right = trained(saes, k), trained(saes, RIGHT_K)["mcc"]
    low_mse = over_seeds(f"k = {plain(k)}: MSE", "≈ 0", rows["mse"], 3, below(0.2))
    what, paper, tolerance = f"k = {plain(k)}: MCC", "degenerate", f"lower than at k = {RIGHT_K}"
    if rows.empty or right.empty:
        return [low_mse, untested(what, paper, tolerance)]
    ours = f"{spread(rows['mcc'], 4)}; at {RIGHT_K}: {spread(right, 4)}"
    return [low_mse, Claim(what, paper, ours, tolerance, bool(rows["mcc"].mean() < right.mean()))]


def sweep_claims(results: Results) -> list[Claim]:
    """The metrics of the decoder and encoder are least at the true L0."""
    saes = results.saes["sweep"]
    return [*(least_claim(saes, column) for column in ("c_dec", "c_enc")), *_level_claims(results.projections)]


def least_claim(saes: pd.DataFrame, column: str, where: str = "") -> Claim:
    """The k at which the mean over seeds of a column is least is the paper's, by one."""
    by_k, tolerance = means(saes, column), near(RIGHT_K, 1)
    what, paper = f"k of the least {column}{where}", str(RIGHT_K)
    if not brackets(by_k.index, RIGHT_K - 1, RIGHT_K + 1):
        return untested(what, paper, tolerance.words)
    least = float(by_k.idxmin())
    by_seed = [rows.set_index("k")[column].idxmin() for _, rows in groups(trained(saes), "seed")]
    ours = f"{_of_mean(least, by_seed, len(by_seed))}; {column} {number(by_k.min(), 4)}"
    return Claim(what, paper, ours, tolerance.words, tolerance.holds(least))


def _of_mean(k: float, by_seed: list[Any], seeds: int) -> str:
    """A k that the mean over seeds points to, and the least and greatest that single seeds do."""
    single = f"{plain(min(by_seed))} to {plain(max(by_seed))} by single seeds, " if seeds > 1 else ""
    return f"{plain(k)} ({single}{count(seeds, 'seed')})"


def _level_claims(projections: pd.DataFrame) -> list[Claim]:
    paper, tolerance = str(RIGHT_K), near(RIGHT_K, 1)
    what = "first k with s_n within 0.01 of its least, n = "
    runs = level_runs(projections)
    if not runs or not brackets(projections["k"], RIGHT_K - 1, RIGHT_K + 1):
        return [untested(f"{what}12–25", paper, tolerance.words)]
    seeds = projections.loc[projections["variant"] == "trained", "seed"].nunique()
    return [
        Claim(f"{what}{ranges(ns)}", paper, _of_mean(k, levels_by_seed(projections, ns), seeds), tolerance.words,
              tolerance.holds(k))
        for k, ns in runs
    ]  # fmt: skip


def tradeoff_claims(results: Results) -> list[Claim]:
    """The curve of reconstruction against sparsity prefers wrong features at every L0 below the true one."""
    excess = {k: value for k, value in explained_above_truth(results.saes["sweep"]).items() if k < RIGHT_K}
    what, paper = "variance explained (about zero), trained above the true features", f"at every k < {RIGHT_K}"
    if not excess:
        return [untested(what, paper, "at every k")]
    better = [k for k, value in excess.items() if value > 0]
    ours = f"at {len(better)} of {count(len(excess), 'value of k', 'values of k')}"
    return [Claim(what, paper, ours, "at every k", len(better) == len(excess))]


def explained_above_truth(saes: pd.DataFrame) -> dict[float, float]:
    """By k, the variance explained about zero of the trained SAEs (mean over seeds) less that of the true features."""
    column = "variance_explained_about_zero"
    pairs = [(k, rows[column].mean(), truth(saes, k)) for k, rows in groups(trained(saes), "k")]
    return {k: float(mean - true[column]) for k, mean, true in pairs if true is not None}
