"""What the latents stand for at a too low, right and too high L0."""

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.style import cosine_bar, cosine_panel, new_figure, panels
from sbw.params import PanelPerK

TABLES = ["cosines", "saes"]


def draw(cosines: pd.DataFrame, saes: pd.DataFrame, params: PanelPerK) -> Figure:
    """A decoder heatmap a k, of the sweep's first seed, reordered to put matched features on the diagonal."""
    seed = cosines["seed"].iloc[0]
    one = cosines[cosines["seed"] == seed]
    rows = -(-len(params.ks) // params.columns)
    # The colour bar and the title need room of their own.
    figure = new_figure(params.columns * params.panel_width + 0.7, rows * params.panel_height + 0.3)
    grid = panels(figure, len(params.ks), params.columns, sharex=True, sharey=True)
    for axes, k in zip(grid, params.ks, strict=True):
        cosine_panel(axes, one[one["k"] == k], "decoder", bar=False)
        mcc = saes.loc[(saes["k"] == k) & (saes["seed"] == seed), "mcc"].item()
        axes.set(xlabel="", ylabel="", title=f"k = {k:g} (MCC {mcc:.2f})")
    cosine_bar(figure, grid, shrink=0.4, aspect=30)
    figure.suptitle(f"Decoder cosine with the true features, true L0 = {saes['true_l0'].iloc[0]:.2f}, seed {seed}")
    return figure
