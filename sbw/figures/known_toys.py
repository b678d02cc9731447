"""What every method recommends on toys whose L0 is known."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sbw.figures.style import BLUE, C_DEC, ORANGE, S_N, interval, log_ticks, name_axes, panels

TABLES = ["recommended"]
COLUMNS, PANEL = 4, (1.75, 1.9)  # inches

_TITLES = {
    "verdict": "the verdict",
    "knee": "knee of the variance explained",
    "description": "least description length",
    "c_dec": f"least {C_DEC}",
    "width": "floor of the width",
    "s_n": f"floor of {S_N}, as in the paper",
    "coherence": "zero of coherence",
    "coherence_pursuit": "zero of coherence by pursuit",
    "gain": "drop of the gain per latent",
    "mcc": "best MCC, knowing the features",
    "best": "the rule fitted on these toys",
}


def draw(recommended: pd.DataFrame) -> Figure:
    """The recommended against the true L0 of the held-out toys, one panel per method, with the verdict's intervals.

    Where no toy is held out, of all.
    """
    drawn = recommended["set"].str.startswith("held_out")
    held_out = recommended[drawn] if drawn.any() else recommended
    figure, grid = panels(len(_TITLES), COLUMNS, PANEL, sharex=True, sharey=True)
    for axes, (method, name) in zip(grid, _TITLES.items(), strict=True):
        rows = held_out[held_out["method"] == method]
        _scatter(axes, rows, ORANGE if method == "verdict" else BLUE)
        _scale(axes, held_out)
        error = np.nanmedian(np.abs(np.log(rows["l0"] / rows["true_l0"])))
        axes.set_title(f"{name}\nmedian |log error| {error:.3f}")
    name_axes(figure, "true L0", "recommended L0")
    toys = held_out["toy"].nunique()
    figure.suptitle(
        f"Recommended and true L0 of {toys} toys that the rule was not fitted on, each swept in three ranges"
    )
    return figure


def _scatter(axes: Axes, rows: pd.DataFrame, color: object) -> None:
    rows = rows[rows["l0"].notna()]
    yerr = interval(rows, "l0") if rows["low"].notna().any() else None
    axes.errorbar(rows["true_l0"], rows["l0"], yerr=yerr, fmt="o", color=color,
                  markersize=2, linewidth=0.4, markeredgewidth=0, alpha=0.6)  # fmt: skip


def _scale(axes: Axes, recommended: pd.DataFrame) -> None:
    least, most = 0.5 * recommended["true_l0"].min(), 2 * recommended["true_l0"].max()
    axes.plot([least, most], [least, most], color="black", linewidth=0.6, linestyle=":")
    axes.set(xscale="log", yscale="log", xlim=(least, most), ylim=(least, most))
    for axis in (axes.xaxis, axes.yaxis):
        log_ticks(axis)
    axes.minorticks_off()
