"""The L0 of public SAEs, a histogram per model."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sbw.figures.style import BLUE, ORANGE, name_axes, panels, shortened

TABLES = ["l0"]
COLUMNS, PANEL = 4, (1.7, 1.35)  # inches


def draw(saes: pd.DataFrame, *, bins: int) -> Figure:
    """A panel of `bins` bins per model with a selected SAE, mean and median marked, on one logarithmic L0 axis."""
    chosen = saes[saes["selected"]]
    models = [(str(model), panel["l0"]) for model, panel in chosen.groupby("model")]
    edges = np.geomspace(chosen["l0"].min() * 0.9, chosen["l0"].max() * 1.1, bins + 1)
    missing = max(0, 2 - len(models))  # the title is as wide as two panels
    figure, grid = panels(len(models), COLUMNS, PANEL, room=(missing * PANEL[0], 0.6), sharex=True)
    for axes, (model, l0) in zip(grid, models, strict=True):
        _histogram(axes, model, l0, edges)
    grid[0].legend(loc="best", handlelength=1.2)
    name_axes(figure, "L0: active latents per token (log scale)", "SAEs")
    figure.suptitle(f"L0 of {len(chosen)} public SAEs of {len(models)} models, median {chosen['l0'].median():g}")
    return figure


def _histogram(axes: Axes, model: str, l0: pd.Series, edges: np.ndarray) -> None:
    axes.hist(l0, bins=edges.tolist(), color=BLUE)
    axes.axvline(l0.mean(), color="black", linestyle="--", label="mean")
    axes.axvline(l0.median(), color=ORANGE, label="median")
    axes.set_xscale("log")
    axes.set_xticks([3, 10, 30, 100, 300], labels=["3", "10", "30", "100", "300"])
    axes.minorticks_off()
    axes.set_xlim(edges[0], edges[-1])
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True, steps=[1, 2, 5, 10]))
    name = shortened(model.rpartition("/")[2])
    axes.set_title(f"{name} (n = {len(l0)})\nmean {l0.mean():.1f}, median {l0.median():g}", fontsize=6)
