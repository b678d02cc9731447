"""Which true features of a toy fire together."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from sbw.figures.style import index_ticks, new_figure
from sbw.params import FigureSize

TABLES = ["correlations"]


def draw(correlations: pd.DataFrame, params: FigureSize) -> Figure:
    """The correlation matrix of the toy's Gaussian copula as a heatmap."""
    figure = new_figure(params.width, params.height)
    axes = figure.subplots()
    if correlations.empty:
        axes.text(0.5, 0.5, "too many features to draw", ha="center")
        axes.set_axis_off()
        return figure
    matrix = correlations.pivot(index="feature_i", columns="feature_j", values="correlation")
    sns.heatmap(matrix, ax=axes, cmap="RdBu", center=0, vmin=-1, vmax=1, square=True, rasterized=True,
                cbar_kws={"label": "correlation"})  # fmt: skip
    index_ticks(axes, len(matrix), len(matrix))
    axes.set(xlabel="feature", ylabel="feature", title="Correlation of the features' firing")
    return figure
