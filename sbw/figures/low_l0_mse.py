"""Why reconstruction misleads: at a too low L0 the truth has the greater error."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sbw.figures.style import BLUE, ORANGE, new_figure, spread_of
from sbw.params import LowL0Mse

TABLES = ["saes"]

_WIDTH = 0.38


def draw(saes: pd.DataFrame, params: LowL0Mse) -> Figure:
    """MSE a k: of the trained SAEs, mean, range and a dot a seed, beside the true features kept to the same k."""
    figure = new_figure(params.width, params.height)
    axes = figure.subplots()
    trained, truth = (saes[saes["variant"] == variant] for variant in ("trained", "truth"))
    by_k = [trained.loc[trained["k"] == k, "mse"].to_numpy() for k in params.ks]
    _bars(axes, -_WIDTH / 2, by_k, BLUE, f"trained ({spread_of(saes)})")
    _bars(axes, _WIDTH / 2, [truth.loc[truth["k"] == k, "mse"].to_numpy() for k in params.ks], ORANGE, "true features")
    axes.set_xticks(range(len(params.ks)), labels=[f"k = {k:g}" for k in params.ks])
    axes.set_ylabel("mean squared error")
    axes.set_title(f"Error of SAEs held to k latents, true L0 = {saes['true_l0'].iloc[0]:.2f}")
    axes.margins(y=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def _bars(axes: Axes, shift: float, groups: list[np.ndarray], color: object, label: str) -> None:
    xs = np.arange(len(groups)) + shift
    axes.bar(xs, [group.mean() for group in groups], _WIDTH, color=color, label=label)
    for x, group in zip(xs, groups, strict=True):
        if len(group) > 1:
            axes.vlines(x, group.min(), group.max(), color="black", linewidth=0.8)
            axes.plot(np.full(len(group), x), group, ".", color="black", markersize=2.5)
        axes.annotate(f"{group.mean():.2f}", (x, group.max()), xytext=(0, 4), textcoords="offset points",
                      ha="center", fontsize=6)  # fmt: skip
