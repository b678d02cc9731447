"""How many latents of an SAE are active on a token."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.llm import COLUMNS, PANEL
from sbw.figures.style import BLUE, RED, name_axes, panels, shortened


def draw(histogram: pd.DataFrame) -> Figure:
    """A histogram of the L0 of single tokens, a panel per SAE, with its mean; all on the same logarithmic axis."""
    saes = histogram["sae"].unique()
    figure, grid = panels(len(saes), COLUMNS, PANEL, sharex=True)
    edges = np.geomspace(max(histogram["l0"].min(), 0.8), histogram["l0"].max() * 1.05, 31)
    for axes, name in zip(grid, saes, strict=True):
        of_sae = histogram[histogram["sae"] == name]
        mean = np.average(of_sae["l0"], weights=of_sae["tokens"])
        share = of_sae["tokens"] / of_sae["tokens"].sum()
        axes.hist(of_sae["l0"].clip(lower=edges[0]), bins=edges.tolist(), weights=share, color=BLUE)
        axes.axvline(mean, color=RED, linestyle="--", linewidth=0.9)
        axes.set(xscale="log", title=f"{shortened(name)}: mean {mean:.3g}")
        axes.set_xticks([tick for tick in (1, 3, 10, 30, 100, 300, 1000) if edges[0] < tick < edges[-1]])
        axes.xaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
    name_axes(figure, "active latents on a token (log scale)", "share of tokens")
    figure.suptitle("L0 of single tokens of held-out texts; dashed, the mean")
    return figure
