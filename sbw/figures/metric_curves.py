"""The curves of each metric on toys that are less like the paper's."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sbw.figures.methods import LINES
from sbw.figures.style import GREY, interval_name, mark_true_l0, name_axes, panels

TABLES = ["curves", "recommended"]
COLUMNS, PANEL = 3, (2.25, 1.5)  # inches


def draw(curves: pd.DataFrame, recommended: pd.DataFrame) -> Figure:
    """A panel per toy: its metrics against L0, each from its least to its greatest value, and the recommended interval.

    Of toys that differ by the number of latents alone, the first is drawn.
    """
    curves = curves[curves["set"] == "awkward"]
    toys = [toy for toy in curves["toy"].unique() if (curves.loc[curves["toy"] == toy, "like"] == toy).all()]
    figure, grid = panels(len(toys), COLUMNS, PANEL, room=(0.0, 0.5), sharey=True)
    for axes, toy in zip(grid, toys, strict=True):
        of_toy = curves[curves["toy"] == toy]
        of_method = recommended[recommended["toy"] == toy].set_index("method")
        for metric, rows_of_metric in of_toy.groupby("metric"):
            _line(axes, str(metric), rows_of_metric)
        _recommended(axes, of_method.loc["combined"])
        mark_true_l0(axes, of_toy, label=toy == toys[0])
        axes.set(xscale="log", ylim=(-0.05, 1.05), title=_title(toy, of_method))
        axes.xaxis.set_major_formatter("{x:g}")
    below = f"L0; the recommended one is a grey line in its {interval_name(recommended)}"
    name_axes(figure, below, "metric, scaled to its range")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(LINES))
    return figure


def _line(axes: Axes, metric: str, rows: pd.DataFrame) -> None:
    color, style, label = LINES[metric]
    means = rows.groupby("setting")[["l0", "value"]].mean().sort_values("l0")
    least, most = means["value"].min(), means["value"].max()
    scaled = (means["value"] - least) / (most - least or 1)
    axes.plot(means["l0"], scaled, style, color=color, label=label, linewidth=0.9)


def _recommended(axes: Axes, row: pd.Series) -> None:
    if pd.notna(row["l0"]):
        axes.axvspan(row["low"], row["high"], color=GREY, alpha=0.2, linewidth=0)
        axes.axvline(row["l0"], color=GREY, linewidth=0.8)


def _title(toy: str, of_method: pd.DataFrame) -> str:
    combined = of_method.loc["combined"]
    named: str = "none named" if pd.isna(combined["l0"]) else f"{combined['l0']:.3g} named"
    size = f"{combined['num_features']} features"
    return f"{toy}: {size}\n{named}, {combined['true_l0']:.3g} true"
