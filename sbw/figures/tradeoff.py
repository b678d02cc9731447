"""The usual curve: sparsity against reconstruction."""

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures import series
from sbw.figures.style import ORANGE, band, mark_true_l0, new_figure, seeds

TABLES = ["saes"]
SIZE = (3.3, 2.4)  # inches


def draw(saes: pd.DataFrame) -> Figure:
    """Variance explained about zero of the trained SAEs and of the true features kept at the same k."""
    figure = new_figure(*SIZE)
    axes = figure.subplots()
    table = series.tradeoff(saes)
    trained, truth = (table[table["variant"] == variant] for variant in ("trained", "truth"))
    band(axes, trained, label=f"trained ({seeds(trained['seeds'].max())})")
    axes.plot(truth["k"], truth["mean"], color=ORANGE, linestyle="--", label="true features")
    mark_true_l0(axes, table, label=True, height=0.6)
    axes.set_xlabel("L0 (k)")
    axes.set_ylabel("variance explained (about zero)")
    axes.set_title("Below the true L0, wrong features reconstruct better")
    axes.legend(loc="lower right")
    return figure
