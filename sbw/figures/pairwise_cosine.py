"""How alike latents are to each other over a sweep of L0."""

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.style import ORANGE, band, mark_true_l0, new_figure, seeds_of
from sbw.params import FigureSize

TABLES = ["saes"]


def draw(saes: pd.DataFrame, params: FigureSize) -> Figure:
    """c_dec and c_enc: mean over seeds, range as a band, the null of random directions, and a rule at the true L0."""
    trained = saes[saes["variant"] == "trained"]
    null = (trained["c_dec"] / trained["c_dec_over_null"]).iloc[0]
    figure = new_figure(params.width, params.height)
    for axes, (name, side) in zip(figure.subplots(1, 2), {"c_dec": "decoder", "c_enc": "encoder"}.items(), strict=True):
        band(axes, trained, name)
        axes.axhline(null, color=ORANGE, linestyle="--")
        axes.annotate("random directions", (axes.get_xlim()[1], null), xytext=(-2, 2), textcoords="offset points",
                      ha="right", fontsize=6, color=ORANGE)  # fmt: skip
        mark_true_l0(axes, saes, label=True)
        axes.set_xlabel("L0 (k)")
        axes.set_ylabel(f"mean |cosine|, {side} ($c_{{{name[2:]}}}$)")
        axes.set_ylim(bottom=0)
    figure.suptitle(f"Pairwise cosine similarity of latents; mean and range of {seeds_of(saes)}")
    return figure
