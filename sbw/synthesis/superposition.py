"""How much feature vectors overlap: SAELens's `compute_superposition_stats`, in blocks of features.

Shapes: f features, d width of the activations.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

PERCENTILES = (95, 99)
_BLOCK = 1024


class Superposition(NamedTuple):
    """Means of the |cosines| of each feature vector with the others."""

    mean_abs_cos_sim: float
    """Mean over the pairs."""
    mean_max_abs_cos_sim: float
    """Mean over features of each one's greatest."""
    mean_percentile_abs_cos_sim: dict[int, float]
    """Mean over features of each one's percentiles."""


@torch.no_grad()
def superposition(vectors: Float[Tensor, "f d"]) -> Superposition:
    """How much `vectors`, two or more, overlap; percentiles are interpolated between the two values around them."""
    u, others = normalize(vectors, dim=1), len(vectors) - 1
    places = {percentile: percentile / 100 * (others - 1) for percentile in PERCENTILES}
    around = sorted({others, *(1 + round_(place) for place in places.values() for round_ in (math.floor, math.ceil))})
    total, found = 0.0, dict.fromkeys(around, 0.0)
    for start in range(0, len(u), _BLOCK):
        cosines = (u[start : start + _BLOCK] @ u.T).abs_()
        cosines.diagonal(start).fill_(0)
        total += cosines.sum(dtype=torch.double).item()
        cosines.diagonal(start).fill_(-1)  # itself comes before all others
        ordered = np.partition(cosines.numpy(), around, axis=1)
        for at in around:
            found[at] += ordered[:, at].sum(dtype=np.double)
    mean = {at: of_all / len(u) for at, of_all in found.items()}
    percentiles = {
        percentile: mean[1 + math.floor(place)] * (1 - place % 1) + mean[1 + math.ceil(place)] * (place % 1)
        for percentile, place in places.items()
    }
    return Superposition(total / (len(u) * others), mean[others], percentiles)
