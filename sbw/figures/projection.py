"""Where the decoder projections s_n^dec are lowest over a sweep of L0."""

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures import series
from sbw.figures.style import S_N, band, mark_true_l0, name_axes, panels, spread_name

TABLES = ["projections", "saes"]
COLUMNS, PANEL = 4, (1.7, 1.3)  # inches


def draw(projections: pd.DataFrame, saes: pd.DataFrame, *, ns: list[int]) -> Figure:
    """A panel per n of `ns`: mean over seeds as a line, least to greatest as a band, and a rule at the true L0."""
    table = series.projections(projections, saes)
    figure, grid = panels(len(ns), COLUMNS, PANEL, room=(0.0, 0.4), sharex=True)
    for axes, n in zip(grid, ns, strict=True):
        band(axes, table[table["n"] == n])
        mark_true_l0(axes, table, label=n == ns[0])
        axes.set_title(f"n = {n}")
    name_axes(figure, "L0 (k)", f"decoder projection {S_N}")
    figure.suptitle(f"nth decoder projection over the sweep; {spread_name(table['seeds'].max())}")
    return figure
