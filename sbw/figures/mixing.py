"""The mixing of feature 0 into the latents of the other features."""

from itertools import cycle

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sbw.figures import series
from sbw.figures.style import GREY, PALETTE, band, mark_true_l0, new_figure, spread_name

TABLES = ["mixing"]
SIZE = (3.3, 2.2)  # inches


def draw(mixing: pd.DataFrame) -> Figure:
    """Signed mixing, mean over an SAE's latents and range of the seeds: against the correlation, or at several k
    against k, a line per correlation."""
    table = series.mixing(mixing)
    figure = new_figure(*SIZE)
    axes = figure.subplots()
    axes.axhline(0, color=GREY, linestyle="--", linewidth=0.6)
    axes.set_ylabel("mixing of feature 0 into others")
    stated = spread_name(table["seeds"].max())
    if table["k"].nunique() == 1:
        band(axes, table, x="rho", marker=".")
        axes.set(xlabel="correlation ρ with feature 0", title=f"k = {table['k'].iloc[0]:g}; {stated}")
    else:
        _against_k(axes, table)
        axes.set(xlabel="L0 (k)", title=stated)
        figure.legend(loc="outside lower center", ncols=table["rho"].nunique())
    return figure


def _against_k(axes: Axes, table: pd.DataFrame) -> None:
    for color, rho in zip(cycle(PALETTE), table["rho"].unique(), strict=False):
        band(axes, table[table["rho"] == rho], color=color, label=f"ρ = {_signed(rho)}", marker=".")
    mark_true_l0(axes, table, label=True)
    axes.set_xticks(table["k"].unique())


def _signed(rho: float) -> str:
    return f"{rho:+g}".replace("-", "−") if rho else "0"
