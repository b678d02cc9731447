"""What each latent of the SAE in focus stands for: its cosine with every true feature."""

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.style import cosine_panel, new_figure

TABLES = ["cosines", "saes"]
SIZE = (6.8, 3.2)  # inches


def draw(cosines: pd.DataFrame, saes: pd.DataFrame) -> Figure:
    """Encoder and decoder heatmaps, a row per latent, reordered with matched features on the diagonal."""
    sae = saes.iloc[0]
    figure = new_figure(*SIZE)
    for axes, side in zip(figure.subplots(1, 2), ["encoder", "decoder"], strict=True):
        cosine_panel(axes, cosines, side, bar=side == "decoder")
        axes.set(xlabel="true feature", ylabel="latent, matched to features", title=f"SAE {side}")
    figure.suptitle(f"k = {sae['k']:g}, true L0 = {sae['true_l0']:.2f}: MCC = {sae['mcc']:.3f}")
    return figure
