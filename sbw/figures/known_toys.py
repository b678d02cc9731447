"""What every method recommends on toys whose L0 is known."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sbw.figures.style import BLUE, C_DEC, ORANGE, S_N, interval, interval_name, name_axes, panels

TABLES = ["recommended"]
COLUMNS, PANEL = 4, (1.75, 1.9)  # inches

_TITLES = {
    "c_dec": C_DEC,
    "width": "width $s_n − s_{h−n}$",
    "stability": "agreement of the seeds",
    "combined": "recommendation: their median",
    "s_n": f"{S_N}, as in the paper",
    "mcc": "MCC, knowing the features",
    "knee": "knee of the variance explained",
}
_TICKS = [3, 5, 10, 20, 40]
_FAINT = "0.65"


def draw(recommended: pd.DataFrame) -> Figure:
    """The recommended against the true L0, one panel per method, with intervals; grey toys are the rule's own."""
    recommended = recommended[recommended["set"].isin(["development", "held_out"])]
    methods = list(recommended["method"].unique())
    figure, grid = panels(len(methods), COLUMNS, PANEL, sharex=True, sharey=True)
    for axes, method in zip(grid, methods, strict=True):
        of_method = recommended[recommended["method"] == method]
        _scatter(axes, of_method[of_method["set"] == "development"], _FAINT)
        _scatter(axes, of_method[of_method["set"] == "held_out"], ORANGE if method == "knee" else BLUE)
        _scale(axes, recommended)
        held_out = of_method[of_method["set"] == "held_out"]
        error = ((held_out["l0"] - held_out["true_l0"]).abs() / held_out["true_l0"]).median()
        named = f"{held_out['l0'].notna().sum()} of {len(held_out)} toys"
        axes.set_title(f"{_TITLES[method]}\nmedian error {error:.0%}, {named}")
    name_axes(figure, "true L0", f"recommended L0 and its {interval_name(recommended)}")
    count = recommended.loc[recommended["set"] == "held_out", "toy"].nunique()
    figure.suptitle(f"Recommended and true L0 of {count} toys that the rule was not made on (in grey: those it was)")
    return figure


def _scatter(axes: Axes, rows: pd.DataFrame, color: object) -> None:
    rows = rows[rows["l0"].notna()]
    axes.errorbar(rows["true_l0"], rows["l0"], yerr=interval(rows, "l0"), fmt="o", color=color,
                  markersize=2.5, linewidth=0.5, markeredgewidth=0)  # fmt: skip


def _scale(axes: Axes, recommended: pd.DataFrame) -> None:
    least, most = 0.5 * recommended["true_l0"].min(), 2 * recommended["true_l0"].max()
    axes.plot([least, most], [least, most], color="black", linewidth=0.6, linestyle=":")
    axes.set(xscale="log", yscale="log", xlim=(least, most), ylim=(least, most))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([tick for tick in _TICKS if least < tick < most], minor=False)
        axis.set_ticks([], minor=True)
        axis.set_major_formatter("{x:g}")
