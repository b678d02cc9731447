"""The table of the experiments on mixing: one row per SAE and latent."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import torch
from sae_lens import SAE
from sae_lens.synthetic import FeatureDictionary

from sbw.files import column
from sbw.metrics.geometry import cosine_similarities, latent_mixing

MIXING = pa.schema(
    [
        column("stage", pa.string(), "experiment that trained the SAE"),
        column("toy", pa.string(), "toy that it was trained on"),
        column("rho", pa.float64(), "correlation of feature 0 with each other feature, in the gaussian copula"),
        column("k", pa.float64(), "L0 that it was trained for"),
        column("seed", pa.int64(), "seed of the activations that it was trained on"),
        column("latent", pa.int64(), "index of the latent; those matched to feature 0 are left out"),
        column("mixing", pa.float64(), "its decoder row's cosine with feature 0, less that of its own feature"),
        column("true_l0", pa.float64(), "active features per sample, on average"),
    ]
)


@torch.no_grad()
def mixing_table(
    saes: Sequence[tuple[dict[str, float], SAE[Any]]],
    features: FeatureDictionary,
    stage: str,
    toy: str,
    true_l0: float,
) -> pd.DataFrame:
    """The columns of `MIXING` for SAEs with their keys `rho`, `k` and `seed`."""
    truth = features.feature_vectors
    between_features = cosine_similarities(truth, truth)
    rows = []
    for keys, sae in saes:
        latents, values = latent_mixing(cosine_similarities(sae.W_dec, truth), between_features, feature=0)
        common = {"stage": stage, "toy": toy, **keys}
        for latent, value in zip(latents.tolist(), values.tolist(), strict=True):
            rows.append(common | {"latent": latent, "mixing": value})
    return pd.DataFrame(rows).assign(true_l0=true_l0)
