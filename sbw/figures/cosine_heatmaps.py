"""What the latents stand for at a too low, right and too high L0."""

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.style import BAR_ROOM, cosine_bar, cosine_panel, panels

TABLES = ["cosines", "saes"]
COLUMNS, PANEL = 4, (1.52, 1.7)  # inches


def draw(cosines: pd.DataFrame, saes: pd.DataFrame, *, ks: list[float]) -> Figure:
    """A decoder heatmap per k of `ks`, of the sweep's first seed, reordered to put matched features on the diagonal."""
    seed = cosines["seed"].iloc[0]
    one = cosines[cosines["seed"] == seed]
    figure, grid = panels(len(ks), COLUMNS, PANEL, room=BAR_ROOM, sharex=True, sharey=True)
    for axes, k in zip(grid, ks, strict=True):
        cosine_panel(axes, one[one["k"] == k], "decoder", bar=False)
        mcc = saes.loc[(saes["k"] == k) & (saes["seed"] == seed), "mcc"].item()
        axes.set(xlabel="", ylabel="", title=f"k = {k:g} (MCC {mcc:.2f})")
    cosine_bar(figure, grid, shrink=0.4, aspect=30)
    figure.suptitle(f"Decoder cosine with the true features, true L0 = {saes['true_l0'].iloc[0]:.2f}, seed {seed}")
    return figure
