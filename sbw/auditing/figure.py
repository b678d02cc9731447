"""The figure of an audit: what the SAEs of each family show, against their L0."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sbw.figures.style import BLUE, C_DEC, GREY, ORANGE, RED, log_ticks, new_figure, shortened
from sbw.verdict.rule import Verdict

PANEL, MARGIN = (2.2, 1.8), 0.3  # inches

_METRICS = {
    "c_dec_over_null": f"{C_DEC} / null",
    "coherence_pursuit": "κ by matching pursuit",
    "variance_explained_about_zero": "variance explained",
}
_SIDES = {"too low": BLUE, "about right": "black", "too high": RED, "inconclusive": "0.75"}
_LONGEST = 100


def draw(saes: pd.DataFrame, verdicts: Mapping[str, Verdict]) -> Figure:
    """A row per family, a panel per metric, a point per SAE, coloured by what it shows alone; the verdict as a band.

    Args:
        saes: rows of `AUDIT`.
        verdicts: of each family.
    """
    metrics = [name for name in _METRICS if saes[name].notna().any()]
    figure = new_figure(PANEL[0] * max(len(metrics), 2), PANEL[1] * len(verdicts) + MARGIN)
    grid = figure.subplots(len(verdicts), len(metrics), squeeze=False)
    for row, (family, verdict) in zip(grid, verdicts.items(), strict=True):
        alike = saes[(saes["family"] == family) & (saes["l0"] > 0)].sort_values("l0")
        for axes, metric in zip(row, metrics, strict=True):
            _panel(axes, alike, metric, verdict)
        row[0].set_title(shortened(family, _LONGEST), loc="left")
    shown = {side: (color, "o") for side, color in _SIDES.items() if (saes["alone"] == side).any()}
    shown |= {"recommended L0, with its interval": (ORANGE, "-")}
    marks = [figure.axes[0].plot([], [], mark, color=color)[0] for color, mark in shown.values()]
    figure.legend(marks, list(shown), loc="outside lower center", ncols=len(shown))
    return figure


def _panel(axes: Axes, saes: pd.DataFrame, metric: str, verdict: Verdict) -> None:
    known = saes[saes[metric].notna()]
    axes.plot(known["l0"], known[metric], color=GREY, linewidth=0.6, zorder=1)
    colors = known["alone"].map(_SIDES).fillna("0.25")
    axes.scatter(known["l0"], known[metric], c=list(colors), s=12, linewidth=0, zorder=2)
    if verdict.l0 is not None and verdict.low is not None and verdict.high is not None:
        axes.axvspan(verdict.low, verdict.high, color=ORANGE, alpha=0.2, linewidth=0)
        axes.axvline(verdict.l0, color=ORANGE)
    if metric == "coherence_pursuit":
        axes.axhline(0, color=GREY, linestyle="--", linewidth=0.6)
    axes.set(xscale="log", xlabel="L0", ylabel=_METRICS[metric])
    log_ticks(axes.xaxis)
