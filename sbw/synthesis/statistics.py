"""A toy's tables and statistics.

Shapes: f features, b samples.
"""

from dataclasses import asdict
from typing import Any

import pandas as pd
import pyarrow as pa
import torch
from jaxtyping import Float
from sae_lens.synthetic import (
    CorrelationMatrixStats,
    LowRankCorrelationMatrix,
    compute_correlation_matrix_stats,
    compute_low_rank_correlation_matrix_stats,
)
from torch import Tensor

from sbw.files import column
from sbw.synthesis.superposition import superposition
from sbw.toy.model import Toy, true_l0

MOST_PAIRED = 2048
"""Most features of a toy with a table of correlations: four million rows."""
FEATURES = pa.schema(
    [
        column("feature", pa.int64(), "index of the feature"),
        column("firing_probability", pa.float64(), "probability that the feature is active, before any hierarchy"),
        column("firing_rate", pa.float64(), "share of the evaluation sample in which it is active"),
        column("mean_magnitude", pa.float64(), "mean activation of the feature when it fires, before the ReLU"),
        column("std_magnitude", pa.float64(), "standard deviation of that activation"),
    ]
)
CORRELATIONS = pa.schema(
    [
        column("feature_i", pa.int64(), "index of one feature"),
        column("feature_j", pa.int64(), "index of the other"),
        column("correlation", pa.float64(), "correlation of the two in the gaussian copula"),
    ]
)


def feature_table(toy: Toy, feature_acts: Float[Tensor, "b f"]) -> pd.DataFrame:
    """One row per feature, with the columns of `FEATURES`; the rates are those of the sample."""
    columns = (
        range(toy.features.num_features),
        toy.activations.firing_probabilities.double(),
        (feature_acts > 0).mean(dim=0, dtype=torch.double),
        toy.activations.mean_firing_magnitudes.double(),
        toy.activations.std_firing_magnitudes.double(),
    )
    return pd.DataFrame(dict(zip(FEATURES.names, columns, strict=True)))


def correlation_table(toy: Toy) -> pd.DataFrame:
    """One row per ordered pair of features, with the columns of `CORRELATIONS`; none above MOST_PAIRED features."""
    of_all = toy.features.num_features
    matrix = _correlation_matrix(toy) if of_all <= MOST_PAIRED else torch.zeros(0, 0)
    i, j = torch.cartesian_prod(torch.arange(len(matrix)), torch.arange(len(matrix))).T
    columns = (i, j, matrix.double().flatten())
    return pd.DataFrame(dict(zip(CORRELATIONS.names, columns, strict=True)))


def toy_stats(toy: Toy, feature_acts: Float[Tensor, "b f"]) -> dict[str, Any]:
    """The true L0, measured on a sample; the sum of the firing probabilities, which is greater where there are a
    hierarchy or magnitudes below 0; the mean squared norm of the activations over that of their noise, None without;
    and SAELens's statistics of the correlations and of the features' superposition."""
    return {
        "true_l0": true_l0(feature_acts),
        "sum_of_firing_probabilities": toy.activations.firing_probabilities.double().sum().item(),
        "signal_to_noise": _signal_to_noise(toy, feature_acts),
        "correlation": asdict(_correlation_stats(toy)),
        "superposition": {
            **superposition(toy.features.feature_vectors)._asdict(),
            "num_features": toy.features.num_features,
            "hidden_dim": toy.features.hidden_dim,
        },
    }


def _signal_to_noise(toy: Toy, feature_acts: Float[Tensor, "b f"]) -> float | None:
    if toy.noise is None:
        return None
    signal = toy.embed(feature_acts).square().sum(dim=1).double().mean().item()
    return signal / (toy.noise.scale**2 * len(toy.noise.directions))


def _correlation_stats(toy: Toy) -> CorrelationMatrixStats:
    matrix, low_rank = toy.activations.correlation_matrix, _low_rank(toy)
    if matrix is not None:
        return compute_correlation_matrix_stats(matrix)
    if low_rank is not None:
        return compute_low_rank_correlation_matrix_stats(low_rank)
    return CorrelationMatrixStats(0.0, 0.0, toy.features.num_features)


def _correlation_matrix(toy: Toy) -> Float[Tensor, "f f"]:
    matrix, low_rank = toy.activations.correlation_matrix, _low_rank(toy)
    if matrix is not None:
        return matrix
    if low_rank is not None:
        return low_rank.correlation_factor @ low_rank.correlation_factor.T + low_rank.correlation_diag.diag()
    return torch.eye(toy.features.num_features)


def _low_rank(toy: Toy) -> LowRankCorrelationMatrix | None:
    return toy.model.correlation_matrix if toy.model else None
