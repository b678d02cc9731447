"""Why s_n^dec has its minimum at the right L0: mixing widens both parts of the decoder projections."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sbw.figures.style import BLUE, S_N, new_figure
from sbw.metrics.theory import DISENTANGLED, MIXED, Mixture

TABLES: list[str] = []
SIZE = (3.3, 1.8)  # inches

_SHARE = 0.4


def draw() -> Figure:
    """The idealised projections of true and of mixed features; s_n^dec is where the rightmost 40 % begin."""
    figure = new_figure(*SIZE)
    pair = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, mixture, name in zip(pair, [DISENTANGLED, MIXED], ["the true features", "mixed features"], strict=True):
        _panel(axes, mixture)
        axes.set_title(f"Latents are {name}")
    pair[0].set_ylabel("density")
    figure.supxlabel("decoder projection", fontsize=7)
    return figure


def _panel(axes: Axes, mixture: Mixture) -> None:
    x = np.linspace(-10, 30, 801)
    s_n, density = _start_of_top(mixture), mixture.density(x)
    axes.fill_between(x, density, color=BLUE, alpha=0.35, linewidth=0)
    top = x[x >= s_n]
    axes.fill_between(top, mixture.density(top), color=BLUE, linewidth=0)
    axes.plot(x, density, color=BLUE)
    axes.axvline(s_n, color="black", linestyle=":", linewidth=0.9)
    axes.annotate(S_N, (s_n, 0.8), xycoords=("data", "axes fraction"), xytext=(3, 0),
                  textcoords="offset points")  # fmt: skip
    axes.annotate(f"rightmost {_SHARE:.0%}", (15, mixture.density(np.array([15.0]))[0]), xytext=(0, 3),
                  textcoords="offset points", ha="center", fontsize=6, color=BLUE)  # fmt: skip
    axes.set_xticks([0])
    axes.set_yticks([])
    axes.set_ylim(bottom=0)


def _start_of_top(mixture: Mixture) -> float:
    x: NDArray[np.floating] = np.linspace(-100, 100, 200_001)
    area = np.cumsum(mixture.density(x))
    return float(np.interp((1 - _SHARE) * area[-1], area, x))
