"""Which L0 is right, metric by metric, and how the n of the projections was chosen."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sbw.figures.style import BLUE, GREY, ORANGE, interval_name, mark_true_l0, mark_true_l0_across, metric_name, panels

TABLES = ["curves", "sensitivity"]
COLUMNS, PANEL = 4, (1.7, 1.7)  # inches


def draw(curves: pd.DataFrame, sensitivity: pd.DataFrame) -> Figure:
    """A panel per metric against L0, with the recommended interval; and what every n of the width would recommend."""
    metrics = list(curves["metric"].unique())
    figure, grid = panels(len(metrics) + 1, COLUMNS, PANEL)
    for axes, metric in zip(grid, metrics, strict=False):
        _metric_panel(axes, metric, curves[curves["metric"] == metric])
    _sensitivity_panel(grid[-1], sensitivity, metrics, curves)
    figure.suptitle(f"The L0 that each metric recommends (line; band: {interval_name(curves)}) and the true L0")
    return figure


def _metric_panel(axes: Axes, metric: str, rows: pd.DataFrame) -> None:
    means = rows.groupby("setting")[["l0", "value"]].mean().sort_values("l0")
    axes.plot(rows["l0"], rows["value"], "o", color=BLUE, markersize=2, markeredgewidth=0, alpha=0.5)
    axes.plot(means["l0"], means["value"], color=BLUE)
    row = rows.iloc[0]
    if pd.notna(row["recommended"]):
        axes.axvspan(row["low"], row["high"], color=GREY, alpha=0.25)
        axes.axvline(row["recommended"], color=GREY)
    mark_true_l0(axes, rows, label=True)
    axes.set(xlabel="L0", ylabel=metric_name(metric), title=_title(row))
    axes.set_ylim(bottom=min(0, rows["value"].min()))


def _title(row: pd.Series) -> str:
    if pd.isna(row["recommended"]):
        return str(row["verdict"])
    return f"{row['verdict']}: {row['recommended']:.1f} ({row['low']:.1f}–{row['high']:.1f})"


def _sensitivity_panel(axes: Axes, sensitivity: pd.DataFrame, metrics: list[str], curves: pd.DataFrame) -> None:
    chosen = next((int(metric.removeprefix("w_")) for metric in metrics if metric.startswith("w_")), None)
    axes.plot(sensitivity["n"], sensitivity["l0"], "o", color=GREY, markersize=2.5, markeredgewidth=0)
    of_chosen = sensitivity[sensitivity["n"] == chosen]
    axes.plot(of_chosen["n"], of_chosen["l0"], "o", color=ORANGE, markersize=4)
    mark_true_l0_across(axes, curves, above=False)
    axes.set(xlabel="n of the width", ylabel="recommended L0", title=f"n = {chosen} agrees with most")
    axes.set_ylim(0, curves["l0"].max())
