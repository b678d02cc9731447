"""The rule that turns a metric at several L0s into a verdict, with an interval and in words.

Below the right L0 an SAE has to mix features, and a metric of mixing rises. Above it the metric rises too, or stays
flat. So the right L0 is where the floor begins: the lowest at which the metric is within TOLERANCE of its minimum.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

TOLERANCE = 0.02
"""Height of the floor above the minimum, in the metric's unit."""
DRAWS = 1000
"""Bootstrap draws."""
LEAST_L0S = 3
"""Different L0s that a verdict needs."""
SAME = 0.02
"""L0s that differ by less than this, in log L0, count as one."""
INTERVAL = 0.9
"""Level of every interval: the share of draws within it."""

Kind = Literal["estimate", "minimum", "elbow", "inconclusive", "edge"]
Floats = NDArray[np.floating[Any]]
Rows = pd.DataFrame
"""One row per SAE.

`setting`: equal for SAEs that differ in their `seed` alone; `l0`; `value`: the metric, lower is better; `error`: its
standard error; `leverage`: n times what a seed adds to the deviation of the mean over n seeds, per unit of its value: 1
where a value is of one SAE, 0 where the seeds are too few to draw from.
"""


class Verdict(NamedTuple):
    """Where a metric puts the right L0."""

    metric: str
    """Name of the metric."""
    kind: Kind
    """`minimum`: rises on both sides; `elbow`: flat above; `estimate`: by several pieces of evidence; `inconclusive`;
    `edge`: the right L0 is beyond the sweep."""
    l0: float | None
    """The recommended L0; None for `inconclusive` and `edge`."""
    low: float | None
    """Lower end of the interval, whose level is INTERVAL."""
    high: float | None
    """Upper end of it."""
    words: str
    """The verdict in one sentence."""
    draws: Floats
    """The L0 of each bootstrap draw, NaN where it names none; draw i is of the same seeds for every metric."""
    beyond: Literal["above", "below", ""] = ""
    """On which side of the sweep the right L0 is, by all pieces of evidence."""

    @property
    def row(self) -> dict[str, Any]:
        """The verdict as a row of tables and documents, without its words."""
        return {"verdict": self.kind, "l0": self.l0, "low": self.low, "high": self.high, "level": INTERVAL}


class Curve(NamedTuple):
    """A metric against L0, at m settings."""

    settings: list[float]
    """That of each point, by ascending L0."""
    x: Floats
    """[m]: log L0 of each, mean over seeds."""
    y: Floats
    """[m]: the metric, mean over seeds."""
    deviations: list[Floats]
    """Per setting, [seeds]: how far each seed moves the mean over seeds, times their number."""
    errors: list[Floats]
    """Per setting, [seeds]: the standard error of each value."""


class _Place(NamedTuple):
    kind: Kind
    cell: int = 0
    """The floor begins between the points `cell` and `cell + 1`; for an edge, the point where it begins."""


def judge(metric: str, rows: Rows, seed: int) -> Verdict:
    """Where a metric's rows put the right L0.

    The floor is where the mean over seeds is within TOLERANCE of its minimum. It begins where the fall before it,
    continued in a straight line over log L0, meets the minimum: between the last point above it and the first on it.
    The interval is that of the draws of `drawn_means`. In each of them the place is uniform between the neighbours of
    the first point on the floor, since the curve between its points is unknown.
    """
    curve = curve_of(rows)
    place = _place(curve.y) if different_l0s(curve.x) >= LEAST_L0S else _Place("inconclusive")
    shares = np.random.default_rng(seed).random(DRAWS)
    draws = np.array([_drawn(curve.x, y, share) for y, share in zip(drawn_means(curve, seed), shares, strict=True)])
    if place.kind in ("minimum", "elbow") and np.isnan(draws).mean() > 0.5:
        place = _Place("inconclusive")
    if place.kind == "inconclusive":
        return Verdict(metric, "inconclusive", None, None, None, f"inconclusive: {metric} {_why(curve)}.", draws)
    if place.kind == "edge":
        return Verdict(metric, "edge", None, None, None, f"edge: {metric} {_beyond(curve, place)}.", draws)
    l0 = _hinge(curve.x, curve.y, place.cell)
    low, high = _interval(draws, l0)
    drawn = any(of_setting.any() for of_setting in curve.deviations)
    where = f"L0 {l0:.3g} ({in_words(low, high)}{'' if drawn else ', without the spread of seeds: too few'})"
    words = f"has its minimum at {where}" if place.kind == "minimum" else f"falls until {where} and stays flat above"
    return Verdict(metric, place.kind, l0, low, high, f"{metric} {words}.", draws)


def combine(verdicts: Sequence[Verdict]) -> Verdict:
    """The median of the verdicts that name an L0, with the interval of all their draws; if none does, the first."""
    named = {verdict.metric: verdict.l0 for verdict in verdicts if verdict.l0 is not None}
    if not named:
        return verdicts[0]._replace(metric="combined")
    draws = np.concatenate([verdict.draws for verdict in verdicts if verdict.metric in named])
    l0 = float(np.exp(np.median(np.log(list(named.values())))))
    low, high = _interval(draws, l0)
    kind: Kind = "minimum" if any(verdict.kind == "minimum" for verdict in verdicts) else "elbow"
    each = ", ".join(f"{metric} {of_metric:.3g}" for metric, of_metric in named.items())
    by = f"the median of {each}" if len(named) > 1 else f"by {next(iter(named))} alone"
    words = f"The right L0 is about {l0:.3g} ({in_words(low, high)}), {by}."
    return Verdict("combined", kind, l0, low, high, words, draws)


def in_words(low: float, high: float) -> str:
    """An interval with its level, in words."""
    return f"{100 * INTERVAL:.0f} % interval {low:.3g} to {high:.3g}"


def curve_of(rows: Rows) -> Curve:
    """A metric's rows as a curve."""
    points = [rows_of for _, rows_of in rows.sort_values("seed").groupby("setting")]
    points.sort(key=lambda rows_of: rows_of["l0"].mean())
    return Curve(
        [float(rows_of["setting"].iloc[0]) for rows_of in points],
        np.log([rows_of["l0"].mean() for rows_of in points]),
        np.array([rows_of["value"].mean() for rows_of in points]),
        [_deviations(rows_of) for rows_of in points],
        [rows_of["error"].to_numpy(float) for rows_of in points],
    )


def drawn_means(curve: Curve, seed: int) -> Floats:
    """[DRAWS, m]: bootstrap means over seeds drawn with replacement, each value moved by its error.

    In draw i all settings and metrics with equally many seeds have the same seeds. The deviation over draws is that of
    a mean over seeds, unbiased whatever their number.
    """
    errors, means = np.random.default_rng([seed, 0]), []
    for y, deviations, error in zip(curve.y, curve.deviations, curve.errors, strict=True):
        n = len(deviations)
        drawn = np.random.default_rng([seed, n]).integers(n, size=(DRAWS, n))
        means.append(y + (deviations[drawn] + error[drawn] * errors.standard_normal(drawn.shape)).mean(axis=1))
    return np.stack(means, axis=1)


def right_l0(curve: Curve) -> tuple[float, float]:
    """Where the floor of a curve begins, and the first setting on it; NaN if inconclusive or at an edge."""
    place = _place(curve.y)
    if place.kind in ("inconclusive", "edge"):
        return math.nan, math.nan
    return _hinge(curve.x, curve.y, place.cell), curve.settings[place.cell + 1]


def different_l0s(log_l0: Floats) -> int:
    """How many L0s differ by more than SAME from the next lower one."""
    return int((np.diff(np.sort(log_l0), prepend=-np.inf) > SAME).sum())


def knee(l0: Floats, explained: Floats) -> float:
    """The common practice: the L0 at the knee of the variance explained.

    There the curve, both axes scaled to 0 … 1, is furthest above the diagonal (Kneedle, Satopää et al. 2011). NaN where
    it is flat.
    """
    order = np.argsort(l0)
    x, y = l0[order], explained[order]
    if np.ptp(y) == 0 or np.ptp(x) == 0:
        return math.nan
    return float(x[np.argmax((y - y.min()) / np.ptp(y) - (x - x.min()) / np.ptp(x))])


def _place(y: Floats) -> _Place:
    on_floor = y <= y.min() + TOLERANCE
    first = int(np.argmax(on_floor))
    if on_floor.all() or len(y) < LEAST_L0S:
        return _Place("inconclusive")
    if first == 0 or first == len(y) - 1:
        return _Place("edge", first)
    return _Place("elbow" if on_floor[first:].all() else "minimum", first - 1)


def _hinge(x: Floats, y: Floats, cell: int) -> float:
    low, high = x[cell], x[cell + 1]
    if cell == 0 or y[cell - 1] <= y[cell]:  # no fall to continue
        return math.exp((low + high) / 2)
    slope = (y[cell] - y[cell - 1]) / (low - x[cell - 1])
    return math.exp(min(low + (y.min() - y[cell]) / slope, high))


def _drawn(x: Floats, y: Floats, share: float) -> float:
    place = _place(y)
    if place.kind in ("inconclusive", "edge"):
        return math.nan
    before, after = x[place.cell], x[min(place.cell + 2, len(x) - 1)]
    return math.exp(before + share * (after - before))


def _interval(draws: Floats, l0: float) -> tuple[float, float]:
    low, high = np.nanquantile(draws, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
    return min(float(low), l0), max(float(high), l0)


def _deviations(rows: Rows) -> Floats:
    # Drawn with replacement, n values have (n − 1) / n of the variance of a mean over n seeds.
    n, value = len(rows), rows["value"].to_numpy(float)
    return rows["leverage"].to_numpy(float) * math.sqrt(n / max(n - 1, 1)) * (value - value.mean())


def _swept(curve: Curve) -> str:
    return f"of L0 {math.exp(curve.x[0]):.3g} to {math.exp(curve.x[-1]):.3g}"


def _beyond(curve: Curve, place: _Place) -> str:
    if place.cell == 0:
        return f"is least at the lowest {_swept(curve)}: extend the sweep downward"
    return f"still falls at the highest {_swept(curve)}: extend the sweep upward"


def _why(curve: Curve) -> str:
    if different_l0s(curve.x) < LEAST_L0S:
        return f"needs at least {LEAST_L0S} different L0s, got {different_l0s(curve.x)}"
    if np.ptp(curve.y) <= TOLERANCE:
        return f"is the same at all {_swept(curve)}"
    return "has, by its mean over seeds, another verdict than in most draws of the seeds"
