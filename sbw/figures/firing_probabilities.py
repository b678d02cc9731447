"""How often each true feature of a toy fires."""

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.style import BLUE, new_figure

TABLES = ["features"]
SIZE = (3.3, 2.0)  # inches


def draw(features: pd.DataFrame) -> Figure:
    """A bar per feature; the title has their sum and the true L0, which is less where there is a hierarchy."""
    figure = new_figure(*SIZE)
    axes = figure.subplots()
    axes.bar(features["feature"], features["firing_probability"], color=BLUE, width=0.8)
    axes.set_xlabel("feature")
    axes.set_ylabel("firing probability $p_i$")
    expected, true_l0 = features[["firing_probability", "firing_rate"]].sum()
    axes.set_title(rf"{len(features)} features, $\Sigma p_i$ = {expected:.2f}, true L0 {true_l0:.2f}")
    axes.margins(x=0.01)
    return figure
