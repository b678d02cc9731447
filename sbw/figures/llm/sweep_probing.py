"""The F1 of probes on few latents, against L0."""

from itertools import cycle

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.llm.sweep_metrics import PANEL, log_l0
from sbw.figures.style import GREY, PALETTE, band, new_figure
from sbw.llm.sweep import Recommended


def draw(scores: pd.DataFrame, verdict: Recommended) -> Figure:
    """Mean F1 of the probes over datasets, a line per number of latents, with intervals; the baseline dashed.

    Markers are hollow where an L0 is behind the best one by more than the margin.
    """
    f1 = scores[scores["measure"] == "f1"]
    figure = new_figure(2 * PANEL[0], 1.7 * PANEL[1])
    axes = figure.subplots()
    of_saes, baseline = f1[f1["k"].notna()], f1[f1["k"].isna()].iloc[0]
    for color, latents in zip(cycle(PALETTE), sorted(of_saes["latents"].unique()), strict=False):
        rows = of_saes[of_saes["latents"] == latents]
        label = f"{latents:g} latent{'s' if latents > 1 else ''}"
        band(axes, rows.sort_values("l0"), x="l0", color=color, label=label, marker=".")
        behind = rows[rows["behind"] > rows["margin"]]
        axes.plot(behind["l0"], behind["mean"], color="white", marker=".", markersize=3, linestyle="")
    axes.axhline(baseline["mean"], color=GREY, linestyle="--", label="all activations")
    log_l0(axes, verdict)
    axes.set(xlabel="L0, measured (log scale)", ylabel="mean F1 (weighted)")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    legend = "bands: 90 % of draws\nhollow: behind the best by more than the margin"
    axes.set_title(f"Probes on few latents, {baseline['datasets']} datasets\n{legend}")
    return figure
