"""What is measured of a sweep on a language model, against the L0 that its SAEs have."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sbw.figures.style import GREY, band, interval_name, metric_name, panels, spread_name
from sbw.llm.sweep import Recommended

COLUMNS, PANEL = 4, (1.7, 1.5)
"""Panels per row, and inches of each, in all figures of a sweep."""

_OF_SAES = {
    "variance_explained_about_mean": "variance explained",
    "ce_loss_score": "loss recovered",
    "dead_latents": "dead latents",
    "dense_latents": "dense latents",
    "coherence": "coherence κ",
    "coherence_pursuit": "κ by pursuit",
}


def draw(saes: pd.DataFrame, curves: pd.DataFrame, verdict: Recommended) -> Figure:
    """A panel per metric: first those that recommend an L0, lower better, then what else changes with it.

    Lines are means over seeds, bands their range; the recommended L0 of all metrics together is a line in its interval.
    """
    metrics = list(curves["metric"].unique())
    count = len(metrics) + len(_OF_SAES)
    rows = -(-count // COLUMNS)
    figure, grid = panels(count, -(-count // rows), PANEL, room=(0.0, 0.5), sharex=True)
    for axes, metric in zip(grid, metrics, strict=False):
        _curve(axes, curves[curves["metric"] == metric].rename(columns={"setting": "k"}), "value")
        axes.set_title(metric_name(metric))
    for axes, (name, title) in zip(grid[len(metrics) :], _OF_SAES.items(), strict=True):
        _curve(axes, saes, name)
        axes.set_title(title)
        if name.startswith("coherence"):
            axes.axhline(0, color=GREY, linestyle="--")
    for axes in grid:
        log_l0(axes, verdict)
    figure.supxlabel("L0, measured (log scale)", fontsize=7)
    grey = f"grey, in its {interval_name(curves)}"
    recommended = "no L0 is recommended" if verdict.l0 is None else f"recommended: L0 {verdict.l0:.3g}, {grey}"
    figure.suptitle(f"A sweep on a language model; {spread_name(saes['seed'].nunique())}\n{recommended}")
    return figure


def log_l0(axes: Axes, verdict: Recommended) -> None:
    """A logarithmic axis of L0, with the recommended one and its interval."""
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    if verdict.l0 is not None and verdict.low is not None and verdict.high is not None:
        axes.axvspan(verdict.low, verdict.high, color=GREY, alpha=0.2)
        axes.axvline(verdict.l0, color=GREY)


def _curve(axes: Axes, table: pd.DataFrame, value: str) -> None:
    over_seeds = table.groupby("k").agg(
        l0=("l0", "mean"), mean=(value, "mean"), low=(value, "min"), high=(value, "max")
    )
    band(axes, over_seeds.sort_values("l0"), x="l0", marker=".")
