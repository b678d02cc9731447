"""An experiment of SAEs at one k, or at several."""

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.style import cosine_bar, cosine_curves, cosine_panel, new_figure, panels

TABLES = ["cosines", "saes"]
SIZE = (6.8, 2.4)  # inches
PANEL = (1.85, 2.4)  # heatmaps are square, less high than the figure by its labels

_MOST_PANELS = 3


def draw(cosines: pd.DataFrame, saes: pd.DataFrame) -> Figure:
    """At one k, a decoder heatmap per seed, of the first three; at several, c_dec and c_enc against k."""
    trained = saes[saes["variant"] == "trained"]
    if trained["k"].nunique() == 1:
        return _heatmaps(cosines, trained.head(_MOST_PANELS))
    figure = new_figure(*SIZE)
    cosine_curves(figure, saes)
    return figure


def _heatmaps(cosines: pd.DataFrame, shown: pd.DataFrame) -> Figure:
    figure, grid = panels(len(shown), _MOST_PANELS, PANEL, room=(1.0, 0.0), sharey=True)
    for axes, (_, sae) in zip(grid, shown.iterrows(), strict=True):
        cosine_panel(axes, cosines[cosines["seed"] == sae["seed"]], "decoder", bar=False)
        axes.set(xlabel="", ylabel="", title=f"seed {sae['seed']:g} (MCC {sae['mcc']:.2f})")
    cosine_bar(figure, grid)
    k, true_l0 = shown[["k", "true_l0"]].iloc[0]
    figure.suptitle(f"Decoders at k = {k:g}, true L0 = {true_l0:.2f}")
    return figure
