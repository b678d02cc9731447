"""How much of feature 0 gets into the latents of the other features."""

from itertools import cycle

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.style import GREY, PALETTE, band, new_figure, spread_of
from sbw.params import FigureSize

TABLES = ["mixing"]


def draw(mixing: pd.DataFrame, params: FigureSize) -> Figure:
    """Signed mixing, mean over an SAE's latents, a dot an SAE: against k, a line a correlation, or against that."""
    means = mixing.groupby(["rho", "k", "seed"])["mixing"].mean().reset_index()
    one_k = means["k"].nunique() == 1
    x = "rho" if one_k else "k"
    figure = new_figure(params.width, params.height)
    axes = figure.subplots()
    axes.axhline(0, color=GREY, linestyle="--", linewidth=0.6)
    rhos = [None] if one_k else sorted(means["rho"].unique())
    for rho, color in zip(rhos, cycle(PALETTE), strict=False):
        line = means if rho is None else means[means["rho"] == rho]
        band(axes, line, "mixing", x=x, color=color, label=None if rho is None else f"ρ = {_signed(rho)}")
        axes.plot(line[x], line["mixing"], ".", color=color, markersize=3)
    axes.set_xlabel("correlation ρ with feature 0" if one_k else "L0 (k)")
    axes.set_ylabel("mixing of feature 0 into others")
    axes.set_title((f"k = {means['k'].iloc[0]:g}; " if one_k else "") + spread_of(means))
    if not one_k:
        axes.legend(frameon=False)
    return figure


def _signed(rho: float) -> str:
    return f"{rho:+g}".replace("-", "−") if rho else "0"
