"""Where the decoder projections s_n^dec are lowest over a sweep of L0."""

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures import series
from sbw.figures.style import S_N, band, mark_true_l0, new_figure, panels, spread
from sbw.params import Projection

TABLES = ["projections", "saes"]


def draw(projections: pd.DataFrame, saes: pd.DataFrame, params: Projection) -> Figure:
    """A panel an n: mean over seeds as a line, least to greatest as a band, and a rule at the true L0."""
    table = series.projections(projections, saes)
    rows = -(-len(params.ns) // params.columns)
    figure = new_figure(params.columns * params.panel_width, rows * params.panel_height + 0.4)
    for axes, n in zip(panels(figure, len(params.ns), params.columns, sharex=True), params.ns, strict=True):
        band(axes, table[table["n"] == n])
        mark_true_l0(axes, table, label=n == params.ns[0])
        axes.set_title(f"n = {n}")
    figure.supxlabel("L0 (k)", fontsize=7)
    figure.supylabel(f"decoder projection {S_N}", fontsize=7)
    figure.suptitle(f"nth decoder projection over the sweep; {spread(table['seeds'].max())}")
    return figure
