"""One look for every figure: small, colour-blind-safe, vector, the same bytes from run to run, no LaTeX."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, RED = (sns.color_palette("colorblind")[i] for i in (0, 1, 3))
"""Data, and the lines that mark something in it."""

_RC: Any = {
    "axes.linewidth": 0.6,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "figure.titlesize": 8,
    "font.size": 7,
    "grid.linewidth": 0.4,
    "legend.fontsize": 6,
    "lines.linewidth": 1.0,
    "pdf.fonttype": 42,
    "svg.hashsalt": "sbw",
    "xtick.labelsize": 6,
    "ytick.labelsize": 6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.pad": 2,
    "ytick.major.pad": 2,
}
# A date in the metadata would change the bytes, and with them everything that DVC thinks depends on the figure.
_UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


@contextmanager
def styled() -> Iterator[None]:
    """The look, for what is drawn and saved in the block."""
    with sns.axes_style("ticks"), mpl.rc_context(_RC):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches, laid out so that nothing overlaps; needs no display."""
    return Figure(figsize=(width, height), layout="constrained")


def index_ticks(axes: Axes, columns: int, rows: int, step: int = 10) -> None:
    """Label every `step`-th column and row of a heatmap with its index."""
    for ticks, count in ((axes.set_xticks, columns), (axes.set_yticks, rows)):
        indices = range(0, count, step)
        ticks([i + 0.5 for i in indices], labels=[str(i) for i in indices], rotation=0)


def save_figure(figure: Figure, path: Path, kind: str) -> None:
    """Write a figure as `svg` or `pdf`: the same bytes for the same figure."""
    with mpl.rc_context(_RC):
        figure.savefig(path, format=kind, metadata=_UNDATED[kind])
