"""One look for every figure: small, colour-blind-safe, vector, the same bytes from run to run, no LaTeX."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sbw.figures import series

PALETTE = sns.color_palette("colorblind")
"""Series told apart by colour; colour-blind-safe."""
BLUE, ORANGE, RED = (PALETTE[i] for i in (0, 1, 3))
"""Data, what it is compared with, and the true L0."""
GREY = "0.4"
"""Where to look from: zero, random directions, a limit. Dark enough for a name in small type."""
C_DEC, S_N = r"$c_\mathrm{dec}$", r"$s_n^\mathrm{dec}$"

_RC: Any = {
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "figure.titlesize": 8,
    "font.size": 7,
    "grid.linewidth": 0.4,
    "legend.fontsize": 6,
    "legend.frameon": False,
    "lines.linewidth": 1.0,
    "patch.force_edgecolor": False,
    "patch.linewidth": 0.0,
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
# Of heatmaps, which are rasters in the vector: fine enough for cells of the same size.
_DPI = 300
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


def short(name: str, longest: int = 28) -> str:
    """A name from outside as a figure can show it: cut where it is long, and no mathematics."""
    return (name if len(name) <= longest else f"{name[: longest - 1]}…").replace("$", r"\$")


def index_ticks(axes: Axes, columns: int, rows: int, step: int = 10) -> None:
    """Label every `step`-th column and row of a heatmap with its index."""
    for ticks, count in ((axes.set_xticks, columns), (axes.set_yticks, rows)):
        indices = range(0, count, step)
        ticks([i + 0.5 for i in indices], labels=[str(i) for i in indices], rotation=0)


def panels(figure: Figure, count: int, columns: int, *, sharex: bool = False, sharey: bool = False) -> list[Axes]:
    """`count` axes in rows of `columns`, the last row perhaps shorter, each with its own tick labels below."""
    rows = -(-count // columns)
    axes = figure.subplots(rows, columns, sharex=sharex, sharey=sharey, squeeze=False).flatten().tolist()
    for unused in axes[count:]:
        unused.remove()
    for last in axes[max(0, count - columns) : count]:
        last.tick_params(labelbottom=True)
    return axes[:count]


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
    figure.suptitle(f"Pairwise cosine similarity of latents; {spread(table['seeds'].max())}")


def seeds(count: int) -> str:
    """How many seeds there are, in words."""
    return f"{count} seed{'s' if count > 1 else ''}"


def spread(count: int) -> str:
    """What a band over so many seeds shows, in words."""
    return f"mean and range of {seeds(count)}" if count > 1 else seeds(count)


def interval(table: pd.DataFrame) -> str:
    """What an interval of a table with a column `level` is, in words."""
    return f"{100 * table['level'].max():.0f} % interval"


def cosine_bar(figure: Figure, grid: list[Axes], **kwargs: Any) -> None:
    """One colour bar for panels without their own, and what their axes are."""
    figure.colorbar(grid[0].collections[0], ax=grid, label="cosine similarity", **kwargs)
    figure.supxlabel("true feature", fontsize=7)
    figure.supylabel("latent, matched to features", fontsize=7)


def cosine_panel(axes: Axes, cosines: pd.DataFrame, side: str, *, bar: bool) -> None:
    """One SAE's `side` cosines as a heatmap, a row a latent, its matched feature on the diagonal."""
    table = series.cosines(cosines)
    matrix = table[table["side"] == side].pivot(index="row", columns="feature", values="cosine")
    sns.heatmap(matrix, ax=axes, cmap="RdBu", center=0, vmin=-1, vmax=1, square=True, rasterized=True,
                cbar=bar, cbar_kws={"label": "cosine similarity"} if bar else None)  # fmt: skip
    index_ticks(axes, matrix.shape[1], matrix.shape[0])


def save_figure(figure: Figure, path: Path, kind: str) -> None:
    """Write a figure as `svg` or `pdf`: the same bytes for the same figure."""
    with mpl.rc_context(_RC):
        figure.savefig(path, format=kind, metadata=_UNDATED[kind], dpi=_DPI)
