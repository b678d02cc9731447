"""SAEs side by side, metric by metric."""

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.style import PALETTE, new_figure
from sbw.params import Panels

_SHOWN = {
    "reconstruction\nquality": ["explained_variance", "mse", "cossim"],
    "magnitude": ["l2_norm_in", "l2_norm_out", "l2_ratio", "relative_reconstruction_bias"],
    "behaviour": ["ce_loss_score", "ce_loss_with_sae", "kl_div_score", "kl_div_with_sae"],
    "sparsity": ["l0", "l1"],
}


def draw(evals: pd.DataFrame, params: Panels) -> Figure:
    """A row of panels a group of metrics, a panel a metric, a bar an SAE."""
    columns = max(len(metrics) for metrics in _SHOWN.values())
    figure = new_figure(columns * params.panel_width, len(_SHOWN) * params.panel_height * 0.8 + 0.3)
    colors = [PALETTE[i % len(PALETTE)] for i in range(len(evals))]
    grid = figure.subplots(len(_SHOWN), columns)
    for row, (group, metrics) in zip(grid, _SHOWN.items(), strict=True):
        row[0].set_ylabel(group)
        for axes, metric in zip(row, metrics, strict=False):
            bars = axes.bar(evals["sae"], evals[metric], color=colors)
            axes.bar_label(bars, fmt="%.3g", fontsize=5, padding=1)
            axes.set_title(metric)
            axes.set_xticks([])
            axes.margins(y=0.18)
            axes.spines[["top", "right"]].set_visible(False)
        for unused in row[len(metrics) :]:
            unused.remove()
    figure.legend(grid[0][0].patches, list(evals["sae"]), loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle("SAEs by what SAELens's evals say of them, on held-out texts")
    return figure
