"""One look for every figure: small, colour-blind-safe, vector, the same bytes from run to run, no LaTeX."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from sbw.figures import series

PALETTE = ["#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#fbafe4", "#949494", "#ece133", "#56b4e9"]
"""Colours of series: seaborn's "colorblind"."""
BLUE, ORANGE, RED = (PALETTE[i] for i in (0, 1, 3))
"""Data, what it is compared with, and the true L0."""
GREY = "0.4"
"""Reference lines: zero, random directions, a limit. Dark enough for labels in small type."""
BAR_ROOM = (0.7, 0.3)
"""Inches for a colour bar beside panels and for the title above."""
C_DEC, S_N = r"$c_\mathrm{dec}$", r"$s_n^\mathrm{dec}$"

_DARK = "0.15"
_RC: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": _DARK,
    "axes.labelcolor": _DARK,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "figure.titlesize": 8,
    "font.sans-serif": ["Arial", "DejaVu Sans", "Liberation Sans", "Bitstream Vera Sans", "sans-serif"],
    "font.size": 7,
    "legend.fontsize": 6,
    "legend.frameon": False,
    "lines.linewidth": 1.0,
    "lines.solid_capstyle": "round",
    "patch.edgecolor": "white",
    "patch.linewidth": 0.0,
    "pdf.fonttype": 42,
    "svg.hashsalt": "sbw",
    "text.color": _DARK,
    "xtick.color": _DARK,
    "ytick.color": _DARK,
    "xtick.labelsize": 6,
    "ytick.labelsize": 6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.pad": 2,
    "ytick.major.pad": 2,
}
# Of heatmaps, which are rasters in the vector: fine enough for cells of the same size.
_DPI = 300
# A date in the metadata would change the bytes, and with them everything that depends on the figure.
_UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


@contextmanager
def styled() -> Iterator[None]:
    """The look, for what is drawn and saved in the block."""
    with mpl.rc_context(_RC):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches, laid out so that nothing overlaps; needs no display."""
    return Figure(figsize=(width, height), layout="constrained")


def shortened(name: str, longest: int = 28) -> str:
    """A name from outside as a figure can show it: cut where it is long, and no mathematics."""
    return (name if len(name) <= longest else f"{name[: longest - 1]}…").replace("$", r"\$")


def panels(
    count: int,
    columns: int,
    panel: tuple[float, float],
    *,
    room: tuple[float, float] = (0.0, 0.3),
    sharex: bool = False,
    sharey: bool = False,
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` axes of the size `panel`, at most `columns` per row, each with its own tick labels below.

    Sizes are in inches, width and height; `room` is for labels, titles and bars of the whole figure.
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = new_figure(columns * panel[0] + room[0], rows * panel[1] + room[1])
    axes = figure.subplots(rows, columns, sharex=sharex, sharey=sharey, squeeze=False).flatten().tolist()
    for unused in axes[count:]:
        unused.remove()
    for last in axes[max(0, count - columns) : count]:
        last.tick_params(labelbottom=True)
    return figure, axes[:count]


def name_axes(figure: Figure, x: str, y: str) -> None:
    """Labels of the axes that all panels of a figure have."""
    figure.supxlabel(x, fontsize=7)
    figure.supylabel(y, fontsize=7)


def log_ticks(axis: Axis) -> None:
    """Plain numbers at 1, 2 and 5 times each power of ten of a logarithmic axis, whose scale is set already."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter("")


def log_histogram(axes: Axes, bins: pd.DataFrame, positive: pd.Series) -> None:
    """Bins (`from`, `to`, `density`) as filled steps on a log scale that holds all densities in `positive`."""
    axes.stairs(bins["density"], [*bins["from"], bins["to"].iloc[-1]], fill=True, color=BLUE)
    axes.set(yscale="log", ylim=(positive.min() / 2, positive.max() * 2))
    axes.minorticks_off()


def interval(rows: pd.DataFrame, value: str) -> np.ndarray:
    """The distances of `low` and `high` from the column `value`, as error bars take them."""
    return np.array([rows[value] - rows["low"], rows["high"] - rows[value]])


def band(
    axes: Axes, table: pd.DataFrame, *, x: str = "k", color: Any = BLUE, label: str | None = None, marker: str = ""
) -> None:
    """A table of `series.over_seeds` as it is: the mean as a line, from the least to the greatest as a band."""
    axes.fill_between(table[x], table["low"], table["high"], color=color, alpha=0.25)
    axes.plot(table[x], table["mean"], color=color, label=label, marker=marker, markersize=4)


def mark_true_l0(axes: Axes, table: pd.DataFrame, *, label: bool, height: float = 1.0) -> None:
    """A rule at the true L0 of the table's toy, named at a share `height` of the axes if `label`."""
    true_l0 = table["true_l0"].iloc[0]
    axes.axvline(true_l0, color=RED, linestyle=":", linewidth=0.9)
    if label:
        axes.annotate("true L0", (true_l0, height), xycoords=("data", "axes fraction"), xytext=(3, -2),
                      textcoords="offset points", va="top", fontsize=6, color=RED)  # fmt: skip


def mark_true_l0_across(axes: Axes, table: pd.DataFrame, *, above: bool) -> None:
    """The same rule where L0 is the vertical axis, named at its left end, above or below it."""
    true_l0 = table["true_l0"].iloc[0]
    axes.axhline(true_l0, color=RED, linestyle=":", linewidth=0.9)
    axes.annotate("true L0", (0, true_l0), xycoords=("axes fraction", "data"), xytext=(3, 2 if above else -2),
                  textcoords="offset points", va="bottom" if above else "top", fontsize=6, color=RED)  # fmt: skip


def mark_null(axes: Axes, null: float, right: float = 1.0) -> None:
    """A line at the c_dec of random directions, on axes that begin at 0; its name ends at a share `right` of them."""
    axes.axhline(null, color=GREY, linestyle="--")
    # A null above all data would strike through what is named at the top.
    axes.set_ylim(0, max(axes.get_ylim()[1], 1.12 * null))
    axes.annotate("random directions", (right, null), xycoords=("axes fraction", "data"), xytext=(-2, 2),
                  textcoords="offset points", ha="right", fontsize=6, color=GREY)  # fmt: skip


def cosine_curves(figure: Figure, saes: pd.DataFrame) -> None:
    """c_dec and c_enc of the trained SAEs against k, a panel each, with their null and a rule at the true L0."""
    table = series.sweep(saes)
    for axes, (name, side) in zip(figure.subplots(1, 2), {"c_dec": "decoder", "c_enc": "encoder"}.items(), strict=True):
        curve = table[table["metric"] == name]
        band(axes, curve)
        mark_null(axes, curve["null"].iloc[0])
        mark_true_l0(axes, curve, label=True)
        axes.set_xlabel("L0 (k)")
        axes.set_ylabel(rf"mean |cosine|, {side} ($c_\mathrm{{{name[2:]}}}$)")
    figure.suptitle(f"Pairwise cosine similarity of latents; {spread_name(table['seeds'].max())}")


def metric_name(metric: str) -> str:
    """A metric of the verdict's curves as a label: `c_dec`, `w_n` or `stability`."""
    if metric.startswith("w_"):
        n = metric.removeprefix("w_")
        return f"width ($s_{{{n}}} − s_{{h−{n}}}$) / σ"
    return {"c_dec": rf"{C_DEC} / $c_\mathrm{{null}}$", "stability": "1 − agreement of seeds"}[metric]


def seeds(count: int) -> str:
    """How many seeds there are, in words."""
    return f"{count} seed{'s' if count > 1 else ''}"


def spread_name(count: int) -> str:
    """What a band over so many seeds shows, in words."""
    return f"mean and range of {seeds(count)}" if count > 1 else seeds(count)


def interval_name(table: pd.DataFrame) -> str:
    """What an interval of a table with a column `level` is, in words."""
    return f"{100 * table['level'].max():.0f} % interval"


def cosine_bar(figure: Figure, grid: list[Axes], **kwargs: Any) -> None:
    """One colour bar for panels without their own, and what their axes are."""
    figure.colorbar(grid[0].collections[0], ax=grid, label="cosine similarity", **kwargs)
    name_axes(figure, "true feature", "latent, matched to features")


def cosine_panel(axes: Axes, cosines: pd.DataFrame, side: str, *, bar: bool) -> None:
    """One SAE's `side` cosines as a heatmap, one row per latent, its matched feature on the diagonal."""
    table = series.cosines(cosines)
    matrix = table[table["side"] == side].pivot(index="row", columns="feature", values="cosine")
    heatmap(axes, matrix, bar="cosine similarity" if bar else "")


def heatmap(axes: Axes, matrix: pd.DataFrame, *, bar: str) -> None:
    """A matrix of values in [-1, 1] as square cells, every tenth index labelled; `bar` names its colour bar, if any."""
    import seaborn as sns  # only here: it imports scipy's statistics, which takes longer than most figures

    sns.heatmap(matrix, ax=axes, cmap="RdBu", center=0, vmin=-1, vmax=1, square=True, rasterized=True,
                cbar=bool(bar), cbar_kws={"label": bar} if bar else None)  # fmt: skip
    rows, columns = matrix.shape
    axes.set_xticks(np.arange(0, columns, 10) + 0.5, np.arange(0, columns, 10), rotation=0)
    axes.set_yticks(np.arange(0, rows, 10) + 0.5, np.arange(0, rows, 10), rotation=0)


def save_figure(figure: Figure, svg: Path, pdf: Path) -> None:
    """Write a figure as SVG and as PDF: the same bytes for the same figure."""
    with mpl.rc_context(_RC):
        for kind, path in (("svg", svg), ("pdf", pdf)):
            figure.savefig(path, format=kind, metadata=_UNDATED[kind], dpi=_DPI)
