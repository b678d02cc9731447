"""SAEs of several L0s side by side: how their decoder projections are spread, and how often their latents fire."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sbw.figures.style import BLUE, new_figure, panels
from sbw.llm.sweep import Recommended
from sbw.params import SweepFigures


def projections(histograms: pd.DataFrame, saes: pd.DataFrame, verdict: Recommended, params: SweepFigures) -> Figure:
    """A histogram of the first seed's decoder projections a k, density on a log scale."""
    shown = histograms[histograms["k"].isin(params.ks)]
    positive = shown.loc[shown["density"] > 0, "density"]

    def fill(axes: Axes, rows: pd.DataFrame) -> None:
        axes.stairs(rows["density"], [*rows["from"], rows["to"].iloc[-1]], fill=True, color=BLUE)
        axes.set(yscale="log", ylim=(positive.min() / 2, positive.max() * 2))
        axes.minorticks_off()

    figure = _side_by_side(shown, saes, verdict, params, fill)
    figure.supxlabel(
        r"decoder projection in σ: activations less $b_\mathrm{dec}$, along a unit decoder row", fontsize=7
    )
    figure.supylabel("density (log scale)", fontsize=7)
    figure.suptitle("Decoder projections of all latents")
    return figure


def densities(latents: pd.DataFrame, saes: pd.DataFrame, verdict: Recommended, params: SweepFigures) -> Figure:
    """A histogram of the first seed's densities of latents a k; those that never fire are not in it."""
    shown = latents[latents["k"].isin(params.ks)]
    edges = np.linspace(np.log10(shown.loc[shown["density"] > 0, "density"].min()), 0, 41)

    def fill(axes: Axes, rows: pd.DataFrame) -> None:
        firing = rows[rows["density"] > 0]
        axes.hist(np.log10(firing["density"]), bins=edges.tolist(), color=BLUE)
        axes.set_title(f"{axes.get_title()}\n{len(rows) - len(firing)} of {len(rows)} never fire")

    figure = _side_by_side(shown, saes, verdict, params, fill)
    figure.supxlabel("log10 of the share of tokens on which a latent fires", fontsize=7)
    figure.supylabel("latents", fontsize=7)
    figure.suptitle("How often latents fire")
    return figure


def _side_by_side(
    rows: pd.DataFrame, saes: pd.DataFrame, verdict: Recommended, params: SweepFigures,
    fill: Callable[[Axes, pd.DataFrame], None],
) -> Figure:  # fmt: skip
    columns = min(params.columns, len(params.ks))
    lines = -(-len(params.ks) // columns)
    figure = new_figure(columns * params.panel_width, lines * params.panel_height + 0.4)
    grid: Sequence[Axes] = panels(figure, len(params.ks), columns, sharex=True, sharey=True)
    for axes, k in zip(grid, sorted(params.ks), strict=True):
        sae = saes[saes["k"] == k].iloc[0]
        axes.set_title(": ".join(filter(None, [f"L0 {sae['l0']:.3g}", verdict.place_of(sae["l0"])])))
        fill(axes, rows[(rows["k"] == k) & (rows["seed"] == sae["seed"])])
    return figure
