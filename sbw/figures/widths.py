"""How the recommended L0 moves with the number of latents."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from sbw.figures.methods import LINES
from sbw.figures.style import BLUE, interval, mark_true_l0_across, new_figure, panels
from sbw.params import Panels

TABLES = ["recommended"]

_MARKS = {"c_dec": "o", "width": "s", "stability": "^", "s_n": "v", "mcc": "D"}


def draw(recommended: pd.DataFrame, params: Panels) -> Figure:
    """A panel a toy that SAEs of several widths were trained on: what each metric recommends against the width."""
    several = recommended.groupby("like")["d_sae"].transform("nunique") > 1
    families = recommended.loc[several, "like"].unique()
    if not len(families):
        figure = new_figure(params.panel_width, params.panel_height)
        figure.text(0.5, 0.5, "no toy with SAEs of several widths", ha="center")
        return figure
    columns = min(params.columns, len(families))
    rows = -(-len(families) // columns)
    figure = new_figure(columns * params.panel_width, rows * params.panel_height + 0.3)
    grid = panels(figure, len(families), columns)
    for axes, family in zip(grid, families, strict=True):
        of_family = recommended[recommended["like"] == family]
        _panel(axes, of_family)
        axes.set_title(f"{family}: {of_family['num_features'].iloc[0]} features")
        mark_true_l0_across(axes, of_family, above=True)
    figure.supxlabel("latents, as a share of the features", fontsize=7)
    figure.supylabel(f"recommended L0 and its {interval(recommended)}", fontsize=7)
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside upper center", ncols=3 * columns)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    widths = np.sort(rows["d_sae"].unique())
    kinds = {"combined": (BLUE, "*", "recommendation")} | {
        metric: (color, _MARKS[metric], label) for metric, (color, _, label) in LINES.items()
    }
    for rank, (method, (color, mark, label)) in enumerate(kinds.items()):
        of_method = rows[(rows["method"] == method) & rows["l0"].notna()]
        place = np.searchsorted(widths, of_method["d_sae"]) + (rank - len(kinds) / 2) * 0.09
        spread = np.array([of_method["l0"] - of_method["low"], of_method["high"] - of_method["l0"]])
        axes.errorbar(place, of_method["l0"], yerr=spread, fmt=mark, color=color, label=label, markersize=3.5,
                      linewidth=0.6, markeredgewidth=0)  # fmt: skip
    share = [f"{width / rows['num_features'].iloc[0]:g}" for width in widths]
    axes.set_xticks(range(len(widths)), share)
    axes.set(yscale="log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
