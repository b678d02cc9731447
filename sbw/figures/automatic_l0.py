"""The path of an L0 that moves itself."""

from itertools import cycle

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.style import GREY, PALETTE, log_ticks, mark_true_l0_across, new_figure

TABLES = ["path"]
SIZE = (6.8, 2.4)  # inches


def draw(path: pd.DataFrame) -> Figure:
    """L0 and coherence against the training step, a line per start, with the true L0."""
    figure = new_figure(*SIZE)
    left, right = figure.subplots(1, 2, sharex=True)
    for color, (start, of_start) in zip(cycle(PALETTE), path.groupby("start"), strict=False):
        end = of_start["l0"].iloc[-1]
        left.plot(of_start["step"], of_start["l0"], color=color, label=f"from {start:g} to {end:.1f}")
        right.plot(of_start["step"], of_start["coherence"], color=color)
    mark_true_l0_across(left, path, above=True)
    left.set_yscale("log")
    left.set_ylabel("L0 that the SAEs are trained at")
    log_ticks(left.yaxis)
    left.minorticks_off()
    right.axhline(0, color=GREY, linestyle="--")
    right.set_ylabel("coherence κ")
    right.set_ylim(-0.6, 0.3)
    for axes in (left, right):
        axes.set_xlabel("training step")
    left.legend()
    figure.suptitle("L0 that moves itself while SAEs train")
    return figure
