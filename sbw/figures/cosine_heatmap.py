"""What each latent of the SAE in focus stands for: its cosine with every true feature."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from sbw.figures.style import index_ticks, new_figure
from sbw.params import FigureSize

TABLES = ["cosines", "saes"]


def draw(cosines: pd.DataFrame, saes: pd.DataFrame, params: FigureSize) -> Figure:
    """Encoder and decoder heatmaps, a row a latent, reordered so that a latent's matched feature is on the diagonal."""
    sae = saes.iloc[0]
    figure = new_figure(params.width, params.height)
    panels = figure.subplots(1, 2)
    for axes, side in zip(panels, ["encoder", "decoder"], strict=True):
        matrix = cosines.pivot(index=["matched_feature", "latent"], columns="feature", values=f"{side}_cosine")
        matrix = matrix.sort_index(na_position="last")
        bar = {"label": "cosine similarity"} if side == "decoder" else None
        sns.heatmap(matrix, ax=axes, cmap="RdBu", center=0, vmin=-1, vmax=1, square=True, rasterized=True,
                    cbar=side == "decoder", cbar_kws=bar)  # fmt: skip
        index_ticks(axes, matrix.shape[1], matrix.shape[0])
        axes.set(xlabel="true feature", ylabel="latent, matched to features", title=f"SAE {side}")
    figure.suptitle(f"k = {sae['k']:g}, true L0 = {sae['true_l0']:.2f}: MCC = {sae['mcc']:.3f}")
    return figure
