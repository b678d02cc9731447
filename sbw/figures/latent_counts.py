"""How the recommended L0 moves with the number of latents."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sbw.figures.methods import LINES
from sbw.figures.style import (
    BLUE,
    interval,
    interval_name,
    log_ticks,
    mark_true_l0_across,
    name_axes,
    new_figure,
    panels,
)

TABLES = ["recommended"]
COLUMNS, PANEL = 2, (3.3, 2.2)  # inches

_MARKS = {"c_dec": "o", "width": "s", "stability": "^", "s_n": "v", "mcc": "D"}


def draw(recommended: pd.DataFrame) -> Figure:
    """A panel per toy that SAEs of several widths were trained on: what each metric recommends against the width."""
    several = recommended.groupby("like")["d_sae"].transform("nunique") > 1
    families = recommended.loc[several, "like"].unique()
    if not len(families):
        figure = new_figure(*PANEL)
        figure.text(0.5, 0.5, "no toy with SAEs of several widths", ha="center")
        return figure
    figure, grid = panels(len(families), COLUMNS, PANEL)
    for axes, family in zip(grid, families, strict=True):
        of_family = recommended[recommended["like"] == family]
        _panel(axes, of_family)
        axes.set_title(f"{family}: {of_family['num_features'].iloc[0]} features")
        mark_true_l0_across(axes, of_family, above=True)
    name_axes(figure, "latents, as a share of the features", f"recommended L0 and its {interval_name(recommended)}")
    figure.legend(
        *grid[0].get_legend_handles_labels(), loc="outside upper center", ncols=3 * min(COLUMNS, len(families))
    )
    return figure


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    widths = np.sort(rows["d_sae"].unique())
    kinds = {"combined": (BLUE, "*", "recommendation")} | {
        metric: (color, _MARKS[metric], label) for metric, (color, _, label) in LINES.items()
    }
    for rank, (method, (color, mark, label)) in enumerate(kinds.items()):
        of_method = rows[(rows["method"] == method) & rows["l0"].notna()]
        place = np.searchsorted(widths, of_method["d_sae"]) + (rank - len(kinds) / 2) * 0.09
        axes.errorbar(place, of_method["l0"], yerr=interval(of_method, "l0"), fmt=mark, color=color, label=label,
                      markersize=3.5, linewidth=0.6, markeredgewidth=0)  # fmt: skip
    share = [f"{width / rows['num_features'].iloc[0]:g}" for width in widths]
    axes.set_xticks(range(len(widths)), share)
    axes.set(yscale="log")
    log_ticks(axes.yaxis)
