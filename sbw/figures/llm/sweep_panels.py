"""SAEs of several L0s side by side: decoder projections, how often latents fire, and how coherent each of them is."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from sbw.figures.llm.sweep_metrics import COLUMNS, PANEL
from sbw.figures.style import BLUE, GREY, log_histogram, name_axes, panels
from sbw.llm.sweep import Recommended

_COHERENCE = 3.0
"""Of a latent, beyond which it is shown at the edge."""


def projections(histograms: pd.DataFrame, saes: pd.DataFrame, verdict: Recommended, ks: list[float]) -> Figure:
    """A histogram of the first seed's decoder projections per k of `ks`, density on a log scale."""
    shown = histograms[histograms["k"].isin(ks)]
    positive = shown.loc[shown["density"] > 0, "density"]

    def fill(axes: Axes, rows: pd.DataFrame) -> None:
        log_histogram(axes, rows, positive)

    figure = _side_by_side(shown, saes, verdict, ks, fill)
    along = r"decoder projection in σ: activations less $b_\mathrm{dec}$, along a unit decoder row"
    name_axes(figure, along, "density (log scale)")
    figure.suptitle("Decoder projections of all latents")
    return figure


def densities(latents: pd.DataFrame, saes: pd.DataFrame, verdict: Recommended, ks: list[float]) -> Figure:
    """A histogram of the first seed's densities of latents per k of `ks`; those that never fire are not in it."""
    shown = latents[latents["k"].isin(ks)]
    edges = np.linspace(np.log10(shown.loc[shown["density"] > 0, "density"].min()), 0, 41)

    def fill(axes: Axes, rows: pd.DataFrame) -> None:
        firing = rows[rows["density"] > 0]
        axes.hist(np.log10(firing["density"]), bins=edges.tolist(), color=BLUE)
        axes.set_title(f"{axes.get_title()}\n{len(rows) - len(firing)} of {len(rows)} never fire")

    figure = _side_by_side(shown, saes, verdict, ks, fill)
    name_axes(figure, "log10 of the share of tokens on which a latent fires", "latents")
    figure.suptitle("How often latents fire")
    return figure


def coherences(latents: pd.DataFrame, saes: pd.DataFrame, verdict: Recommended, ks: list[float]) -> Figure:
    """A histogram of κ_i against density per k of `ks`, of the first seed's latents that fire."""
    shown = latents[latents["k"].isin(ks) & (latents["density"] > 0)]
    edges = (np.linspace(np.log10(shown["density"].min()), 0, 41), np.linspace(-_COHERENCE, _COHERENCE, 41))
    norm = LogNorm(1, 100)

    def fill(axes: Axes, rows: pd.DataFrame) -> None:
        kappa = rows["coherence"].clip(-_COHERENCE, _COHERENCE)
        axes.hist2d(np.log10(rows["density"]), kappa, bins=edges, norm=norm, cmap="viridis", rasterized=True)
        axes.axhline(0, color=GREY, linestyle="--")
        axes.set_title(f"{axes.get_title()}\n{100 * (kappa > 0).mean():.0f} % above 0")

    figure = _side_by_side(shown, saes, verdict, ks, fill)
    figure.colorbar(figure.axes[0].collections[0], ax=figure.axes, label="latents per bin (log scale)", extend="max")
    name_axes(figure, "log10 of the share of tokens on which a latent fires", "coherence of the latent, $κ_i$")
    figure.suptitle("Coherence of single latents: above 0, L0 is too low for it; below 0, too high")
    return figure


def _side_by_side(
    rows: pd.DataFrame, saes: pd.DataFrame, verdict: Recommended, ks: list[float],
    fill: Callable[[Axes, pd.DataFrame], None],
) -> Figure:  # fmt: skip
    figure, grid = panels(len(ks), COLUMNS, PANEL, room=(0.0, 0.4), sharex=True, sharey=True)
    for axes, k in zip(grid, sorted(ks), strict=True):
        sae = saes[saes["k"] == k].iloc[0]
        axes.set_title(": ".join(filter(None, [f"L0 {sae['l0']:.3g}", verdict.place_of(sae["l0"])])))
        fill(axes, rows[(rows["k"] == k) & (rows["seed"] == sae["seed"])])
    return figure
