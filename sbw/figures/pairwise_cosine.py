"""How alike latents are to each other over a sweep of L0."""

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.style import cosine_curves, new_figure

TABLES = ["saes"]
SIZE = (6.8, 2.3)  # inches


def draw(saes: pd.DataFrame) -> Figure:
    """c_dec and c_enc: mean over seeds, range as a band, the null of random directions, and a rule at the true L0."""
    figure = new_figure(*SIZE)
    cosine_curves(figure, saes)
    return figure
