"""Whether latents are read where they are written."""

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.llm import PANEL
from sbw.figures.style import PALETTE, new_figure, shortened


def draw(features: pd.DataFrame) -> Figure:
    """Histograms of the cosine of a latent's encoder and decoder, a line per SAE; dead latents are left out."""
    firing = features[features["feature_density"] > 0]
    cosines = firing["encoder_decoder_cosine_sim"]
    edges = np.linspace(min(cosines.min(), 0), 1, 61)
    figure = new_figure(2 * PANEL[0], PANEL[1] + 0.3)
    axes = figure.subplots()
    for (name, of_sae), color in zip(firing.groupby("sae", sort=False), cycle(PALETTE), strict=False):
        counts, _ = np.histogram(of_sae["encoder_decoder_cosine_sim"], bins=edges)
        axes.stairs(counts, edges, color=color, linewidth=1.0, label=shortened(str(name)))
    axes.legend(loc="upper left")
    axes.set(xlabel="cosine of a latent's encoder and decoder", ylabel="latents",
             title="Are latents read where they are written?")  # fmt: skip
    return figure
