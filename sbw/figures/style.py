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

PALETTE = sns.color_palette("colorblind")
"""Series told apart by colour; colour-blind-safe."""
BLUE, ORANGE, RED, GREY = (PALETTE[i] for i in (0, 1, 3, 7))
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


def panels(figure: Figure, count: int, columns: int, *, sharex: bool = False) -> list[Axes]:
    """`count` axes in rows of `columns`, the last row perhaps shorter, each with its own tick labels below."""
    rows = -(-count // columns)
    axes = figure.subplots(rows, columns, sharex=sharex, squeeze=False).flatten().tolist()
    for unused in axes[count:]:
        unused.remove()
    for last in axes[max(0, count - columns) : count]:
        last.tick_params(labelbottom=True)
    return axes[:count]


def band(axes: Axes, table: pd.DataFrame, y: str, *, x: str = "k", color: Any = BLUE, label: str | None = None) -> None:
    """The mean of `y` over the seeds at each `x` as a line, from the least to the greatest as a band."""
    sns.lineplot(table, x=x, y=y, errorbar=("pi", 100), color=color, label=label, legend=False, ax=axes)
    axes.set(xlabel="", ylabel="")
    axes.spines[["top", "right"]].set_visible(False)


def mark_true_l0(axes: Axes, saes: pd.DataFrame, *, label: bool, height: float = 1.0) -> None:
    """A rule at the true L0 of the table's toy, named at a share `height` of the axes if `label`."""
    true_l0 = saes["true_l0"].iloc[0]
    axes.axvline(true_l0, color=RED, linestyle=":", linewidth=0.9)
    if label:
        axes.annotate("true L0", (true_l0, height), xycoords=("data", "axes fraction"), xytext=(3, -2),
                      textcoords="offset points", va="top", fontsize=6, color=RED)  # fmt: skip


def mark_null(axes: Axes, saes: pd.DataFrame, right: float = 1.0) -> None:
    """A line at the c_dec of random directions in the width of the table's SAEs, on axes that begin at 0.

    Its name ends at a share `right` of the axes.
    """
    null = (saes["c_dec"] / saes["c_dec_over_null"]).iloc[0]
    axes.axhline(null, color=ORANGE, linestyle="--")
    # A null above all data would strike through what is named at the top.
    axes.set_ylim(0, max(axes.get_ylim()[1], 1.12 * null))
    axes.annotate("random directions", (right, null), xycoords=("axes fraction", "data"), xytext=(-2, 2),
                  textcoords="offset points", ha="right", fontsize=6, color=ORANGE)  # fmt: skip


def cosine_curves(figure: Figure, saes: pd.DataFrame) -> None:
    """c_dec and c_enc of the trained SAEs against k, a panel each, with their null and a rule at the true L0."""
    trained = saes[saes["variant"] == "trained"]
    for axes, (name, side) in zip(figure.subplots(1, 2), {"c_dec": "decoder", "c_enc": "encoder"}.items(), strict=True):
        band(axes, trained, name)
        mark_null(axes, trained)
        mark_true_l0(axes, saes, label=True)
        axes.set_xlabel("L0 (k)")
        axes.set_ylabel(f"mean |cosine|, {side} ($c_{{{name[2:]}}}$)")
    figure.suptitle(f"Pairwise cosine similarity of latents; {spread_of(saes)}")


def seeds_of(saes: pd.DataFrame) -> str:
    """How many seeds a table's bands are over, in words."""
    count = saes["seed"].nunique()
    return f"{count} seed{'s' if count > 1 else ''}"


def spread_of(saes: pd.DataFrame) -> str:
    """What a table's bands show, in words."""
    return f"mean and range of {seeds_of(saes)}" if saes["seed"].nunique() > 1 else seeds_of(saes)


def cosine_bar(figure: Figure, grid: list[Axes], **kwargs: Any) -> None:
    """One colour bar for panels without their own, and what their axes are."""
    figure.colorbar(grid[0].collections[0], ax=grid, label="cosine similarity", **kwargs)
    figure.supxlabel("true feature", fontsize=7)
    figure.supylabel("latent, matched to features", fontsize=7)


def cosine_panel(axes: Axes, cosines: pd.DataFrame, side: str, *, bar: bool) -> None:
    """One SAE's `side` cosines as a heatmap, a row a latent, its matched feature on the diagonal."""
    matrix = cosines.pivot(index=["matched_feature", "latent"], columns="feature", values=f"{side}_cosine")
    matrix = matrix.sort_index(na_position="last")
    sns.heatmap(matrix, ax=axes, cmap="RdBu", center=0, vmin=-1, vmax=1, square=True, rasterized=True,
                cbar=bar, cbar_kws={"label": "cosine similarity"} if bar else None)  # fmt: skip
    index_ticks(axes, matrix.shape[1], matrix.shape[0])


def selected(saes: pd.DataFrame) -> pd.DataFrame:
    """The public SAEs that the params ask for.

    Raises:
        ValueError: there is none.
    """
    chosen = saes[saes["selected"]]
    if chosen.empty:
        raise ValueError("no SAE is selected: `collect_l0.models` and `collect_l0.releases` must match at least one")
    return chosen


def save_figure(figure: Figure, path: Path, kind: str) -> None:
    """Write a figure as `svg` or `pdf`: the same bytes for the same figure."""
    with mpl.rc_context(_RC):
        figure.savefig(path, format=kind, metadata=_UNDATED[kind])
