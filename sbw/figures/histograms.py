"""How the decoder projections are spread at a too low, right and too high L0."""

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.style import BLUE, new_figure, panels
from sbw.params import PanelPerK

TABLES = ["histograms", "saes"]

_RIGHT_WITHIN = 0.03


def draw(histograms: pd.DataFrame, saes: pd.DataFrame, params: PanelPerK) -> Figure:
    """A histogram of the first seed's decoder projections a k, density on a log scale, all on the same axes.

    A k within 3 % of the true L0 is called right.
    """
    seed, true_l0 = histograms["seed"].iloc[0], saes["true_l0"].iloc[0]
    shown = histograms[(histograms["seed"] == seed) & histograms["k"].isin(params.ks)]
    positive = shown.loc[shown["density"] > 0, "density"]
    rows = -(-len(params.ks) // params.columns)
    # The title and the label below need room of their own.
    figure = new_figure(params.columns * params.panel_width, rows * params.panel_height + 0.4)
    grid = panels(figure, len(params.ks), params.columns, sharex=True, sharey=True)
    for axes, k in zip(grid, params.ks, strict=True):
        bins = shown[shown["k"] == k]
        axes.stairs(bins["density"], [*bins["from"], bins["to"].iloc[-1]], fill=True, color=BLUE)
        axes.set(yscale="log", ylim=(positive.min() / 2, positive.max() * 2))
        axes.minorticks_off()
        axes.set_title(f"k = {k:g}: {_verdict(k, true_l0)}")
    figure.supxlabel(r"decoder projection: input less $b_\mathrm{dec}$, along a unit decoder row", fontsize=7)
    figure.supylabel("density (log scale)", fontsize=7)
    figure.suptitle(f"Decoder projections of all latents, true L0 = {true_l0:.2f}, seed {seed}")
    return figure


def _verdict(k: float, true_l0: float) -> str:
    if abs(k / true_l0 - 1) < _RIGHT_WITHIN:
        return "right"
    return "too low" if k < true_l0 else "too high"
