"""The coherence of latents over a sweep of L0, which changes its sign."""

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures import series
from sbw.figures.style import GREY, band, mark_true_l0, new_figure, spread_name

TABLES = ["saes"]
SIZE = (3.3, 2.4)  # inches


def draw(saes: pd.DataFrame) -> Figure:
    """κ of the trained SAEs: mean over seeds, range as a band, a line at 0 and a rule at the true L0."""
    figure = new_figure(*SIZE)
    axes = figure.subplots()
    table = series.over_seeds(saes[saes["variant"] == "trained"], "coherence", "k")
    axes.axhline(0, color=GREY, linestyle="--")
    band(axes, table)
    mark_true_l0(axes, table, label=True)
    axes.set_xlabel("L0 (k)")
    axes.set_ylabel("coherence κ")
    for words, y, side in (("L0 too low", 2, "bottom"), ("L0 too high", -2, "top")):
        axes.annotate(words, (1, 0), xycoords=("axes fraction", "data"), xytext=(-2, y), textcoords="offset points",
                      ha="right", va=side, fontsize=6, color=GREY)  # fmt: skip
    axes.set_title(f"Coherence of latents; {spread_name(table['seeds'].max())}")
    return figure
