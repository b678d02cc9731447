"""How often latents fire."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.llm import COLUMNS, PANEL
from sbw.figures.style import BLUE, name_axes, panels, shortened


def draw(features: pd.DataFrame) -> Figure:
    """A histogram of the latents' log10 density, a panel per SAE; those that never fire are counted in the title."""
    saes = features["sae"].unique()
    figure, grid = panels(len(saes), COLUMNS, PANEL, sharex=True)
    fires = features["feature_density"] > 0
    edges = np.linspace(features.loc[fires, "log10_density"].min(), 0, 41)
    for axes, name in zip(grid, saes, strict=True):
        of_sae = features[features["sae"] == name]
        firing = of_sae[of_sae["feature_density"] > 0]
        axes.hist(firing["log10_density"], bins=edges.tolist(), color=BLUE)
        silent = len(of_sae) - len(firing)
        axes.set_title(f"{shortened(name)}\n{silent} of {len(of_sae)} never fire")
    name_axes(figure, "log10 of the share of tokens on which a latent fires", "latents")
    figure.suptitle("How often latents fire on held-out texts")
    return figure
