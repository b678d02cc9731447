"""SAEs side by side, metric by metric."""

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.llm import PANEL
from sbw.figures.style import PALETTE, new_figure, shortened

_SHOWN = {
    "reconstruction\nquality": ["explained_variance", "mse", "cossim"],
    "magnitude": ["l2_norm_in", "l2_norm_out", "l2_ratio", "relative_reconstruction_bias"],
    "behaviour": ["ce_loss_score", "ce_loss_with_sae", "kl_div_score", "kl_div_with_sae"],
    "sparsity": ["l0", "l1"],
}


def draw(evals: pd.DataFrame) -> Figure:
    """A row of panels per group of metrics, a panel per metric, a bar per SAE."""
    columns = max(len(metrics) for metrics in _SHOWN.values())
    figure = new_figure(columns * PANEL[0], len(_SHOWN) * PANEL[1] * 0.8 + 0.3)
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
        for unused in row[len(metrics) :]:
            unused.remove()
    figure.legend(grid[0][0].patches, list(evals["sae"].map(shortened)), loc="outside lower center", ncols=4)
    figure.suptitle("SAELens's evals of the SAEs, on held-out texts")
    return figure
