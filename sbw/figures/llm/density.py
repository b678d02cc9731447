"""How often latents fire."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.style import BLUE, new_figure, panels
from sbw.params import Panels


def draw(features: pd.DataFrame, params: Panels) -> Figure:
    """A histogram of the latents' log10 density, a panel an SAE; those that never fire are counted in the title."""
    saes = features["sae"].unique()
    columns = min(params.columns, len(saes))
    rows = -(-len(saes) // columns)
    figure = new_figure(columns * params.panel_width, rows * params.panel_height + 0.3)
    fires = features["feature_density"] > 0
    edges = np.linspace(features.loc[fires, "log10_density"].min(), 0, 41)
    for axes, name in zip(panels(figure, len(saes), columns, sharex=True), saes, strict=True):
        of_sae = features[features["sae"] == name]
        firing = of_sae[of_sae["feature_density"] > 0]
        axes.hist(firing["log10_density"], bins=edges.tolist(), color=BLUE)
        silent = len(of_sae) - len(firing)
        axes.set_title(f"{name}\n{silent} of {len(of_sae)} never fire")
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("log10 of the share of tokens on which a latent fires", fontsize=7)
    figure.supylabel("latents", fontsize=7)
    figure.suptitle("How often latents fire on held-out texts")
    return figure
