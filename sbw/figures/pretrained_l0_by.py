"""The L0 of public SAEs by where in the model they sit and how wide they are."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sbw.figures.style import BLUE, GREY, RED, new_figure, selected
from sbw.params import FigureSize

TABLES = ["l0"]

_LIMIT = 100


def draw(saes: pd.DataFrame, params: FigureSize) -> Figure:
    """A dot an SAE and a dash at each median, by layer, width and site; SAEs whose ids do not say are left out.

    Raises:
        ValueError: no SAE is selected.
    """
    chosen = selected(saes)
    figure = new_figure(params.width, params.height)
    by_layer, by_width, by_site = figure.subplots(1, 3, sharey=True)
    sites = chosen["site"].value_counts().index.tolist()
    _strip(by_layer, chosen["layer"], chosen, "layer")
    _strip(
        by_width, chosen["width"].astype(float).map(np.log2, na_action="ignore"), chosen, "width (latents, log scale)"
    )
    _strip(by_site, chosen["site"].map(sites.index, na_action="ignore"), chosen, "site")
    _name_widths(by_width, chosen["width"].dropna())
    by_site.set_xticks(range(len(sites)), labels=sites)
    by_layer.set(yscale="log", ylabel="L0 (log scale)")
    by_layer.set_yticks([3, 10, 30, 100, 300], labels=["3", "10", "30", "100", "300"])
    by_layer.minorticks_off()
    by_layer.legend(loc="lower right", frameon=False, handlelength=1.2, fontsize=5)
    below = (chosen["l0"] < _LIMIT).mean()
    figure.suptitle(f"L0 of {len(chosen)} public SAEs: {below:.1%} lie below {_LIMIT}")
    return figure


def _strip(axes: Axes, group: pd.Series, saes: pd.DataFrame, name: str) -> None:
    known = pd.DataFrame({"x": group.astype(float), "l0": saes["l0"]}).dropna()
    # SAEs of one group often share an L0: moved aside, but the same way each time.
    aside = np.random.default_rng(0).uniform(-0.3, 0.3, len(known))
    axes.plot(known["x"] + aside, known["l0"], ".", color=BLUE, alpha=0.35, markersize=3, markeredgewidth=0)
    medians = known.groupby("x")["l0"].median()
    axes.hlines(medians, medians.index - 0.4, medians.index + 0.4, color=RED, label="median")
    axes.axhline(_LIMIT, color=GREY, linestyle=":", linewidth=0.8)
    stated = "" if len(known) == len(saes) else f" of {len(saes)}"
    axes.set(xlabel=name, title=f"n = {len(known)}{stated}")
    axes.spines[["top", "right"]].set_visible(False)


def _name_widths(axes: Axes, widths: pd.Series) -> None:
    exponents = range(10, 31, 2)
    shown = [e for e in exponents if len(widths) and widths.min() / 2 <= 2**e <= widths.max() * 2]
    axes.set_xticks(shown, labels=[f"{2**e >> 10}k" if e < 20 else f"{2**e >> 20}M" for e in shown])
