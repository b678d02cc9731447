"""The L0 of public SAEs by where in the model they sit and how wide they are."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sbw.figures.style import BLUE, GREY, ORANGE, new_figure

TABLES = ["l0"]
SIZE = (6.8, 2.4)  # inches

_LIMIT = 100


def draw(saes: pd.DataFrame) -> Figure:
    """A dot per SAE by layer, width and site, where its ids have them; a dash at the median of each group above one."""
    chosen = saes[saes["selected"]]
    figure = new_figure(*SIZE)
    by_layer, by_width, by_site = figure.subplots(1, 3, sharey=True)
    sites = chosen["site"].value_counts().index.tolist()
    octaves = chosen["width"].astype(float).map(np.log2, na_action="ignore")
    _strip(by_layer, chosen["layer"], chosen["l0"], "layer", reach=0.4)
    _strip(by_width, octaves, chosen["l0"], "width (latents, log scale)", reach=0.2)
    _strip(by_site, chosen["site"].map(sites.index, na_action="ignore"), chosen["l0"], "site", reach=0.35)
    _name_widths(by_width, chosen["width"].dropna())
    by_site.set_xticks(range(len(sites)), labels=sites)
    by_layer.set(yscale="log", ylabel="L0 (log scale)")
    by_layer.set_yticks([3, 10, 30, 100, 300], labels=["3", "10", "30", "100", "300"])
    by_layer.minorticks_off()
    by_layer.legend(loc="lower right", handlelength=1.2)
    below = (chosen["l0"] < _LIMIT).mean()
    figure.suptitle(f"L0 of {len(chosen)} public SAEs: {below:.1%} lie below {_LIMIT}")
    return figure


def _strip(axes: Axes, group: pd.Series, l0: pd.Series, name: str, *, reach: float) -> None:
    known = pd.DataFrame({"x": group.astype(float), "l0": l0}).dropna()
    # SAEs of one group often share an L0: they are moved aside, by the same draw each time.
    aside = np.random.default_rng(0).uniform(-0.75 * reach, 0.75 * reach, len(known))
    axes.plot(known["x"] + aside, known["l0"], ".", color=BLUE, alpha=0.35, markersize=3, markeredgewidth=0)
    groups = known.groupby("x")["l0"]
    medians = groups.median()[groups.size() > 1]
    axes.hlines(medians, medians.index - reach, medians.index + reach, color=ORANGE, label="median")
    axes.axhline(_LIMIT, color=GREY, linestyle=":", linewidth=0.8)
    stated = "" if len(known) == len(l0) else f" of {len(l0)}"
    axes.set(xlabel=name, title=f"n = {len(known)}{stated}")


def _name_widths(axes: Axes, widths: pd.Series) -> None:
    exponents = range(10, 31, 2)
    shown = [e for e in exponents if len(widths) and widths.min() / 2 <= 2**e <= widths.max() * 2]
    axes.set_xticks(shown, labels=[f"{2**e >> 10}k" if e < 20 else f"{2**e >> 20}M" for e in shown])
