"""Which true features of a toy fire together."""

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.style import heatmap, new_figure

TABLES = ["correlations"]
SIZE = (3.3, 2.8)  # inches


def draw(correlations: pd.DataFrame) -> Figure:
    """The correlation matrix of the toy's Gaussian copula as a heatmap."""
    figure = new_figure(*SIZE)
    axes = figure.subplots()
    if correlations.empty:
        axes.text(0.5, 0.5, "too many features to draw", ha="center")
        axes.set_axis_off()
        return figure
    matrix = correlations.pivot(index="feature_i", columns="feature_j", values="correlation")
    heatmap(axes, matrix, bar="correlation")
    axes.set(xlabel="feature", ylabel="feature", title="Correlation of the features' firing")
    return figure
