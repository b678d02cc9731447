"""What each piece of evidence says of each L0 of a sweep."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.style import log_ticks, mark_true_l0, new_figure

TABLES = ["evidence"]
WIDTH, ROW, MARGINS = 6.2, 0.155, 0.9  # inches

_FULL = 0.25  # of log L0: the colour is full there


def draw(evidence: pd.DataFrame) -> Figure:
    """A row per piece of evidence, a column per L0, coloured by what it adds to log(L0 / right L0); and their sum."""
    adds = evidence.pivot_table(index="piece", columns="l0", values="adds", sort=False, dropna=False)
    table = pd.concat([adds, adds.sum().to_frame("all together").T])
    figure = new_figure(WIDTH, ROW * len(table) + MARGINS)
    axes = figure.subplots()
    edges = _edges(table.columns.to_numpy(float))
    mesh = axes.pcolormesh(
        edges, np.arange(len(table) + 1), table, cmap="RdBu_r", rasterized=True, vmin=-_FULL, vmax=_FULL
    )
    axes.set_yticks(np.arange(len(table)) + 0.5, list(table.index))
    axes.axhline(len(adds), color="black", linewidth=0.8)
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel="L0")
    log_ticks(axes.xaxis)
    axes.grid(visible=False)
    recommended = evidence["recommended"].iloc[0]
    if pd.notna(recommended):
        axes.axvline(recommended, color="black")
    mark_true_l0(axes, evidence, label=False)
    bar = figure.colorbar(mesh, ax=axes, ticks=[-_FULL, 0, _FULL], pad=0.02, aspect=30)
    bar.ax.set_yticklabels(["L0 too low", "right", "L0 too high"])
    known = "line: recommended, dotted: true" if evidence["true_l0"].notna().any() else "line: recommended"
    figure.suptitle(f"What each piece of evidence says of each L0 ({known})")
    return figure


def _edges(l0: "np.typing.NDArray[np.float64]") -> "np.typing.NDArray[np.float64]":
    """Halfway between the L0s, in the logarithm; a tenth around a single one."""
    if len(l0) == 1:
        return np.array([l0[0] / 1.1, l0[0] * 1.1])
    middle = np.sqrt(l0[1:] * l0[:-1])
    return np.concatenate([[l0[0] ** 2 / middle[0]], middle, [l0[-1] ** 2 / middle[-1]]])
