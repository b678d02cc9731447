"""What the encoder's weights look like, latent by latent."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.llm import PANEL
from sbw.figures.style import BLUE, GREY, new_figure, shortened

_COLUMNS = {
    "encoder_bias": "encoder bias",
    "encoder_norm": "encoder norm",
    "encoder_decoder_cosine_sim": "cosine, encoder\nand decoder",
}


def draw(features: pd.DataFrame, name: str) -> Figure:
    """A scatter matrix of encoder bias, norm and cosine with the decoder, a point per latent; grey, it never fires."""
    of_sae = features[features["sae"] == name]
    firing = of_sae["feature_density"] > 0
    figure = new_figure(3 * PANEL[0], 3 * PANEL[1])
    for row, below in zip(figure.subplots(3, 3, sharex="col"), _COLUMNS, strict=True):
        for axes, across in zip(row, _COLUMNS, strict=True):
            edges = np.linspace(of_sae[across].min(), of_sae[across].max(), 41).tolist()
            for rows, color in ((of_sae[~firing], GREY), (of_sae[firing], BLUE)):
                if across == below:
                    axes.hist(rows[across], bins=edges, color=color, alpha=0.8)
                else:
                    axes.scatter(rows[across], rows[below], s=2, color=color, alpha=0.4, linewidths=0, rasterized=True)
            axes.set(xlabel=_COLUMNS[across] if below == list(_COLUMNS)[-1] else "",
                     ylabel=_COLUMNS[below] if across == "encoder_bias" else "")  # fmt: skip
    figure.align_ylabels()
    figure.suptitle(
        f"{shortened(name)}: encoder weights of its latents (on the diagonal, latents); grey, those that never fire"
    )
    return figure
