"""Which L0 is right: from a metric at several L0s to a verdict, with an interval and in words.

Below the right L0 an SAE cannot but mix features, and a metric of mixing rises. Above it the metric may rise too, or
stay flat. So the right L0 is where the floor begins: the lowest at which the metric is within TOLERANCE of its minimum.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

TOLERANCE = 0.02
"""How far above its minimum a metric may lie and count as down on its floor, in the metric's unit."""
DRAWS = 1000
"""Bootstrap draws."""
LEAST_L0S = 3
"""L0s that a verdict needs."""
INTERVAL = 0.9
"""Share of the draws within the interval."""

Kind = Literal["minimum", "elbow", "flat", "edge"]
Floats = NDArray[np.floating[Any]]
Rows = pd.DataFrame
"""A row an SAE: `setting`, the same for SAEs trained alike but for their seed; `l0`; `value`, lower better; `error`."""


class Verdict(NamedTuple):
    """What a metric says of the right L0."""

    metric: str
    """Name of the metric."""
    kind: Kind
    """`minimum`: it rises on both sides; `elbow`: flat above; `flat`: it does not tell; `edge`: beyond the sweep."""
    l0: float | None
    """The recommended L0; None for `flat` and `edge`."""
    low: float | None
    """Lower end of the interval."""
    high: float | None
    """Upper end of it."""
    sentence: str
    """The same in words."""
    draws: Floats
    """The L0 of each bootstrap draw; NaN where it told none."""


class Curve(NamedTuple):
    """A metric against L0."""

    settings: list[float]
    """What each point was trained at, by ascending L0."""
    x: Floats
    """log L0 of each, mean over seeds."""
    values: list[Floats]
    """The metric of each seed."""
    errors: list[Floats]
    """The standard error of each value."""

    @property
    def y(self) -> Floats:
        """The mean over seeds."""
        return np.array([values.mean() for values in self.values])


class _Place(NamedTuple):
    kind: Kind
    cell: int = 0
    """The floor begins between the points `cell` and `cell + 1`."""


def judge(metric: str, rows: Rows, generator: np.random.Generator) -> Verdict:
    """What a metric's rows say of the right L0.

    The floor is where the mean over seeds lies within TOLERANCE of its minimum. It begins where the fall before it,
    continued in a straight line over log L0, meets the minimum: between the last point above it and the first on it.
    The interval is that of draws in each of which the seeds of every point are drawn anew with replacement, each value
    is moved by its error, and the place is drawn evenly between the neighbours of the first point on the floor: what
    the curve does between its points is not known. Fewer than LEAST_L0S points do not tell.
    """
    curve = curve_of(rows)
    place = _place(curve.y)
    draws = _draws(curve, generator)
    if place.kind in ("minimum", "elbow") and np.isnan(draws).mean() > 0.5:
        place = _Place("flat")
    if place.kind == "flat":
        return Verdict(metric, "flat", None, None, None, f"{metric} does not tell: {_noise(curve)}.", draws)
    if place.kind == "edge":
        told = (
            f"is on its floor at the lowest of {_swept(curve)} already: extend the sweep downward"
            if place.cell == 0
            else f"falls until the highest of {_swept(curve)}: extend the sweep upward"
        )
        return Verdict(metric, "edge", None, None, None, f"{metric} {told}.", draws)
    l0 = _hinge(curve.x, curve.y, place.cell)
    low, high = _interval(draws, l0)
    then = "rises again above" if place.kind == "minimum" else "stays flat above"
    sentence = f"{metric} falls until L0 {l0:.3g} ({low:.3g} to {high:.3g}) and {then}."
    return Verdict(metric, place.kind, l0, low, high, sentence, draws)


def combine(verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict from those that name an L0: their median, with the interval of all their draws together.

    Where none does, that of the first.
    """
    telling = {verdict.metric: verdict for verdict in verdicts if verdict.l0 is not None}
    if not telling:
        return verdicts[0]._replace(metric="combined")
    named = {metric: verdict.l0 for metric, verdict in telling.items() if verdict.l0 is not None}
    draws = np.concatenate([verdict.draws for verdict in telling.values()])
    l0 = float(np.exp(np.median(np.log(list(named.values())))))
    low, high = _interval(draws, l0)
    kind: Kind = "minimum" if any(verdict.kind == "minimum" for verdict in telling.values()) else "elbow"
    each = ", ".join(f"{metric} {of_metric:.3g}" for metric, of_metric in named.items())
    sentence = f"The right L0 is about {l0:.3g} ({low:.3g} to {high:.3g}): the median of {each}."
    return Verdict("combined", kind, l0, low, high, sentence, draws)


def curve_of(rows: Rows) -> Curve:
    """A metric's rows as a curve."""
    points = sorted(rows.groupby("setting"), key=lambda point: point[1]["l0"].mean())
    return Curve(
        [float(of_setting["setting"].iloc[0]) for _, of_setting in points],
        np.log([of_setting["l0"].mean() for _, of_setting in points]),
        [of_setting["value"].to_numpy(float) for _, of_setting in points],
        [of_setting["error"].to_numpy(float) for _, of_setting in points],
    )


def right_l0(curve: Curve) -> tuple[float, float]:
    """Where the floor of a curve begins, and the first setting on it; NaN where it does not tell."""
    y = curve.y
    place = _place(y)
    if place.kind in ("flat", "edge"):
        return math.nan, math.nan
    return _hinge(curve.x, y, place.cell), curve.settings[place.cell + 1]


def knee(l0: Floats, explained: Floats) -> float:
    """The common practice: the L0 at the knee of the curve of variance explained.

    That is where the curve, both axes scaled to 0 … 1, lies furthest above the diagonal (Kneedle, Satopää et al. 2011).
    """
    order = np.argsort(l0)
    x, y = l0[order], explained[order]
    return float(x[np.argmax((y - y.min()) / np.ptp(y) - (x - x.min()) / np.ptp(x))])


def _place(y: Floats) -> _Place:
    on_floor = y <= y.min() + TOLERANCE
    first = int(np.argmax(on_floor))
    if on_floor.all() or len(y) < LEAST_L0S:
        return _Place("flat")
    if first == 0 or first == len(y) - 1:
        return _Place("edge", first)
    return _Place("elbow" if on_floor[first:].all() else "minimum", first - 1)


def _hinge(x: Floats, y: Floats, cell: int) -> float:
    """Where the fall before a cell meets the minimum, in L0; the cell's middle where there is no fall before it."""
    low, high = x[cell], x[cell + 1]
    if cell == 0 or y[cell - 1] <= y[cell]:
        return math.exp((low + high) / 2)
    slope = (y[cell] - y[cell - 1]) / (low - x[cell - 1])
    return math.exp(min(low + (y.min() - y[cell]) / slope, high))


def _draws(curve: Curve, generator: np.random.Generator) -> Floats:
    means = []
    for values, errors in zip(curve.values, curve.errors, strict=True):
        drawn = generator.integers(len(values), size=(DRAWS, len(values)))
        means.append((values[drawn] + errors[drawn] * generator.standard_normal(drawn.shape)).mean(axis=1))
    shares = generator.random(DRAWS)
    return np.array([_drawn(curve.x, y, share) for y, share in zip(np.stack(means, axis=1), shares, strict=True)])


def _drawn(x: Floats, y: Floats, share: float) -> float:
    place = _place(y)
    if place.kind in ("flat", "edge"):
        return math.nan
    before, after = x[place.cell], x[min(place.cell + 2, len(x) - 1)]
    return math.exp(before + share * (after - before))


def _interval(draws: Floats, l0: float) -> tuple[float, float]:
    low, high = np.nanquantile(draws, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
    return min(float(low), l0), max(float(high), l0)


def _swept(curve: Curve) -> str:
    return f"L0 {math.exp(curve.x[0]):.3g} to {math.exp(curve.x[-1]):.3g}"


def _noise(curve: Curve) -> str:
    if len(curve.y) < LEAST_L0S:
        return f"that needs SAEs at {LEAST_L0S} L0s at least, got {len(curve.y)}"
    if np.ptp(curve.y) <= TOLERANCE:
        return f"it is the same over {_swept(curve)}"
    return "most draws of the seeds say otherwise than their mean"
