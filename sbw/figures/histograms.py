"""How the decoder projections are spread at a too low, right and too high L0."""

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.style import log_histogram, name_axes, panels

TABLES = ["histograms", "saes"]
COLUMNS, PANEL = 4, (1.7, 1.6)  # inches

_RIGHT_WITHIN = 0.03


def draw(histograms: pd.DataFrame, saes: pd.DataFrame, *, ks: list[float]) -> Figure:
    """A histogram of the first seed's decoder projections per k of `ks`, density on a log scale, all on the same axes.

    A k within 3 % of the true L0 is called right.
    """
    seed, true_l0 = histograms["seed"].iloc[0], saes["true_l0"].iloc[0]
    shown = histograms[(histograms["seed"] == seed) & histograms["k"].isin(ks)]
    positive = shown.loc[shown["density"] > 0, "density"]
    figure, grid = panels(len(ks), COLUMNS, PANEL, room=(0.0, 0.4), sharex=True, sharey=True)
    for axes, k in zip(grid, ks, strict=True):
        log_histogram(axes, shown[shown["k"] == k], positive)
        axes.set_title(f"k = {k:g}: {_verdict(k, true_l0)}")
    name_axes(
        figure, r"decoder projection: input less $b_\mathrm{dec}$, along a unit decoder row", "density (log scale)"
    )
    figure.suptitle(f"Decoder projections of all latents, true L0 = {true_l0:.2f}, seed {seed}")
    return figure


def _verdict(k: float, true_l0: float) -> str:
    if abs(k / true_l0 - 1) < _RIGHT_WITHIN:
        return "right"
    return "too low" if k < true_l0 else "too high"
