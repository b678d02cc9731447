"""A claim of the paper beside our number, and the ways to judge one."""

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd

from sbw.report.results import groups, trained, truth
from sbw.report.words import count, fixed, short, spread

RIGHT_K = 11
"""The k of the paper's toy that is nearest to its true L0."""


class Claim(NamedTuple):
    """One sentence of the paper that a number can contradict."""

    what: str
    paper: str
    """What the paper says, in figures."""
    ours: str
    """What we measured; empty if nothing was."""
    tolerance: str
    holds: bool | None
    """None: not tested here."""
    reason: str = ""
    """Why it is not tested: names the param."""


class Tolerance(NamedTuple):
    """What a number must be for a claim to hold."""

    words: str
    test: Callable[[float], Any]

    def holds(self, value: float) -> bool:
        """Whether the number is so."""
        return bool(self.test(value))

    def judge(self, what: str, paper: str, ours: str, value: float) -> Claim:
        """A claim that holds where the value is so."""
        return Claim(what, paper, ours, self.words, self.holds(value))


def limit(words: str) -> Tolerance:
    """`< 0.95`, `> 0.95` or `≥ 0.95`."""
    sign, value = words.split()
    compare = {"<": operator.lt, ">": operator.gt, "≥": operator.ge}[sign]
    return Tolerance(words, lambda ours: compare(ours, float(value)))


def between(low: float, high: float) -> Tolerance:
    """From `low` to `high`, both included."""
    return Tolerance(f"{low} to {high}", lambda value: low <= value <= high)


def near(value: float, by: float) -> Tolerance:
    """At most `by` away, but for rounding."""
    return Tolerance(f"± {by:g}", lambda ours: abs(ours - value) <= by + 1e-9)


def untested(what: str, paper: str, tolerance: str, reason: str) -> Claim:
    """A claim for which nothing was measured."""
    return Claim(what, paper, "", tolerance, None, reason)


def of_one(what: str, paper: str, value: float, digits: int, tolerance: Tolerance) -> Claim:
    """A claim about one number."""
    return tolerance.judge(what, paper, fixed(value, digits), value)


def of_mean(
    what: str, paper: str, values: "pd.Series[Any]", digits: int, tolerance: Tolerance, reason: str = ""
) -> Claim:
    """A claim about a mean over seeds; `reason` is why there may be no value."""
    if values.empty:
        return untested(what, paper, tolerance.words, reason)
    return tolerance.judge(what, paper, spread(values, digits), values.mean())


def mse_below_truth(what: str, paper: str, saes: pd.DataFrame, k: float, reason: str) -> Claim:
    """The trained SAEs of a k have less MSE than the true features; `reason` is why there may be no such k."""
    mse, true, tolerance = trained(saes, k)["mse"], truth(saes).get(k), "trained < true features"
    if mse.empty or true is None:
        return untested(what, paper, tolerance, reason)
    ours = f"{spread(mse, 3)} and {fixed(true['mse'], 3)}"
    return Claim(what, paper, ours, tolerance, bool(mse.mean() < true["mse"]))


def around(key: str, ks: "pd.Series[Any]") -> str:
    """Why a minimum at about RIGHT_K would mean nothing: there are no values of k below, at or above it."""
    enough = (ks < RIGHT_K - 1).any() and ks.between(RIGHT_K - 1, RIGHT_K + 1).any() and (ks > RIGHT_K + 1).any()
    return "" if enough else f"{key} has no values below {RIGHT_K - 1}, from there to {RIGHT_K + 1}, and above"


def minimum(saes: pd.DataFrame, column: str, where: str, reason: str) -> Claim:
    """The k at which a column, mean over seeds, has its minimum."""
    what, paper, tolerance, rows = f"k of the least {column}{where}", str(RIGHT_K), near(RIGHT_K, 1), trained(saes)
    if reason:
        return untested(what, paper, tolerance.words, reason)
    by_k = rows.groupby("k")[column].mean()
    k, by_seed = float(by_k.idxmin()), [of_seed.set_index("k")[column].idxmin() for _, of_seed in groups(rows, "seed")]
    return tolerance.judge(what, paper, f"{of_k(k, by_seed, len(by_seed))}; {column} {fixed(by_k.min(), 4)}", k)


def of_k(k: float, by_seed: list[Any], seeds: int) -> str:
    """The k of the mean over seeds, with the least and greatest of single seeds."""
    single = f"{short(min(by_seed))} to {short(max(by_seed))} by single seeds, " if seeds > 1 else ""
    return f"{short(k)} ({single}{count(seeds, 'seed')})"
