"""How often each true feature of a toy fires."""

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.style import BLUE, new_figure
from sbw.params import FigureSize

TABLES = ["features"]


def draw(features: pd.DataFrame, params: FigureSize) -> Figure:
    """A bar a feature; their sum, the true L0, in the title."""
    figure = new_figure(params.width, params.height)
    axes = figure.subplots()
    axes.bar(features["feature"], features["firing_probability"], color=BLUE, width=0.8)
    axes.set_xlabel("feature")
    axes.set_ylabel("firing probability $p_i$")
    axes.set_title(rf"{len(features)} features, true L0 = $\Sigma p_i$ = {features['firing_probability'].sum():.2f}")
    axes.margins(x=0.01)
    return figure
