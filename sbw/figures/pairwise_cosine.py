"""How alike latents are to each other over a sweep of L0."""

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.style import cosine_curves, new_figure
from sbw.params import FigureSize

TABLES = ["saes"]


def draw(saes: pd.DataFrame, params: FigureSize) -> Figure:
    """c_dec and c_enc: mean over seeds, range as a band, the null of random directions, and a rule at the true L0."""
    figure = new_figure(params.width, params.height)
    cosine_curves(figure, saes)
    return figure
