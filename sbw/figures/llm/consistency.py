"""How often latents fire, and how often within one context."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sbw.figures.llm import PANEL
from sbw.figures.style import BLUE, new_figure, shortened


def draw(features: pd.DataFrame, name: str) -> Figure:
    """Density against the consistent activation heuristic, a point per latent of one SAE, with both histograms."""
    firing = features[(features["sae"] == name) & (features["feature_density"] > 0)]
    density, consistency = firing["feature_density"], firing["consistent_activation_heuristic"]
    figure = new_figure(2 * PANEL[0], 2 * PANEL[1] + 0.2)
    (above, corner), (middle, beside) = figure.subplots(
        2, 2, sharex="col", sharey="row", width_ratios=[4, 1], height_ratios=[1, 4]
    )
    corner.remove()
    middle.scatter(density, consistency, s=2, color=BLUE, alpha=0.4, linewidths=0, rasterized=True)
    middle.set(xscale="log", yscale="log", xlabel="share of tokens on which it fires",
               ylabel="tokens in a context, where it fires at all")  # fmt: skip
    middle.yaxis.set_major_formatter("{x:g}")
    above.hist(density, bins=_log_bins(density), color=BLUE)
    beside.hist(consistency, bins=_log_bins(consistency), color=BLUE, orientation="horizontal")
    _bare(above, "y")
    _bare(beside, "x")
    figure.suptitle(f"{shortened(name)}: how often latents fire, and how consistently")
    return figure


def _log_bins(values: pd.Series) -> list[float]:
    return np.geomspace(values.min() * 0.99, values.max() * 1.01, 41).tolist()


def _bare(axes: Axes, counts: str) -> None:
    axes.tick_params(labelbottom=False, labelleft=False, left=counts != "y", bottom=counts != "x")
    axes.tick_params(which="minor", left=False, bottom=False)
    axes.spines[["left" if counts == "y" else "bottom"]].set_visible(False)
