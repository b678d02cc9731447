"""The decoder metrics of JumpReLU SAEs, whose L0 follows from a coefficient."""

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.series import c_null
from sbw.figures.style import BLUE, C_DEC, log_ticks, mark_null, mark_true_l0, new_figure, seeds

TABLES = ["saes", "projections"]
SIZE = (6.8, 2.2)  # inches

_N = 18
_KEYS = ["l0_coefficient", "seed"]


def draw(saes: pd.DataFrame, projections: pd.DataFrame) -> Figure:
    """c_dec, s_n^dec and the coefficient against the L0 that came out, a dot per SAE, and a rule at the true L0."""
    trained = saes[saes["variant"] == "trained"]
    n = _nearest_n(projections)
    s_n = projections.loc[(projections["variant"] == "trained") & (projections["n"] == n), [*_KEYS, "s_n"]]
    table = trained.merge(s_n, on=_KEYS, validate="one_to_one")
    ys = {
        "c_dec": f"mean |cosine|, decoder ({C_DEC})",
        "s_n": rf"decoder projection $s_{{{n}}}^\mathrm{{dec}}$",
        "l0_coefficient": "coefficient of the sparsity loss",
    }
    figure = new_figure(*SIZE)
    grid = figure.subplots(1, len(ys), sharex=True)
    for axes, (name, label) in zip(grid, ys.items(), strict=True):
        axes.plot(table["l0"], table[name], "o", color=BLUE, alpha=0.6, markersize=3, markeredgewidth=0)
        axes.set(xlabel="L0 of the trained SAE", ylabel=label)
        # Named where nothing else is at the top: s_n is low there.
        mark_true_l0(axes, trained, label=name == "s_n")
    mark_null(grid[0], c_null(trained), right=0.75)  # left of the SAEs whose L0 is far too high
    grid[-1].set_yscale("log")
    log_ticks(grid[-1].yaxis)
    grid[-1].minorticks_off()
    count = trained["l0_coefficient"].nunique()
    figure.suptitle(f"JumpReLU SAEs by the L0 that came out; {count} coefficients, {seeds(trained['seed'].nunique())}")
    return figure


def _nearest_n(projections: pd.DataFrame) -> int:
    return int(min(projections["n"].unique(), key=lambda n: abs(n - _N)))
