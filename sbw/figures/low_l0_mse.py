"""Why reconstruction misleads: at a too low L0 the truth has the greater error."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sbw.figures.series import over_seeds
from sbw.figures.style import BLUE, ORANGE, interval, new_figure, spread_name

TABLES = ["saes"]
SIZE = (3.3, 2.2)  # inches

_WIDTH = 0.38


def draw(saes: pd.DataFrame, *, ks: list[float]) -> Figure:
    """MSE at each k of `ks`: trained SAEs, mean and range of the seeds, beside the true features kept to the same k."""
    figure = new_figure(*SIZE)
    axes = figure.subplots()
    table = over_seeds(saes, "mse", "variant", "k").set_index("k")
    trained, truth = (table[table["variant"] == variant].loc[ks] for variant in ("trained", "truth"))
    _bars(axes, -_WIDTH / 2, trained, BLUE, f"trained ({spread_name(trained['seeds'].max())})")
    _bars(axes, _WIDTH / 2, truth, ORANGE, "true features")
    axes.set_xticks(range(len(ks)), labels=[f"k = {k:g}" for k in ks])
    axes.set_ylabel("mean squared error")
    axes.set_title(f"Error of SAEs held to k latents, true L0 = {saes['true_l0'].iloc[0]:.2f}")
    axes.margins(y=0.12)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _bars(axes: Axes, shift: float, rows: pd.DataFrame, color: object, label: str) -> None:
    xs = [place + shift for place in range(len(rows))]
    axes.bar(xs, rows["mean"], _WIDTH, color=color, label=label)
    if (rows["seeds"] > 1).any():
        axes.errorbar(xs, rows["mean"], interval(rows, "mean"), fmt="none", ecolor="black", elinewidth=0.8, capsize=2)
    for x, mean, high in zip(xs, rows["mean"], rows["high"], strict=True):
        axes.annotate(f"{mean:.2f}", (x, high), xytext=(0, 4), textcoords="offset points", ha="center", fontsize=6)
