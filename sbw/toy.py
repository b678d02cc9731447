"""A toy model: known features, sparse and correlated, embedded in a space that an SAE is trained on.

Shapes: f features, d width of the activations, b batch.
"""

import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from jaxtyping import Float
from sae_lens.synthetic import (
    ActivationGenerator,
    FeatureDictionary,
    compute_correlation_matrix_stats,
    compute_superposition_stats,
    create_correlation_matrix_from_correlations,
    linear_firing_probabilities,
    orthogonal_initializer,
    zipfian_firing_probabilities,
)
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from sbw.gating import where_above
from sbw.params import Correlation, LinearFiring, ToyParams, ZipfFiring
from sbw.rng import drawing_from
from sbw.tables import column

FEATURES = pa.schema(
    [
        column("feature", pa.int64(), "index of the feature, the commonest first"),
        column("firing_probability", pa.float64(), "share of the samples in which the feature is active"),
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


@dataclass(frozen=True)
class Toy:
    """A feature dictionary and the generator of its features' activations, both SAELens's."""

    features: FeatureDictionary
    activations: ActivationGenerator

    def stream(self, batch_size: int, generator: torch.Generator) -> Iterator[Float[Tensor, "b d"]]:
        """Activations of fresh samples, a batch at a time, for ever.

        The same as `embed(sample(batch_size, generator))` to rounding, draw for draw, in half the time: the correlation
        matrix is factorised once. Each batch is the transpose of a contiguous [d b], the layout that training wants.
        """
        toy, vectors, f = self.activations, self.features.feature_vectors.detach(), self.features.num_features
        mean, std = toy.mean_firing_magnitudes, toy.std_firing_magnitudes
        factor = torch.linalg.cholesky(_correlation_matrix(self)).T
        while True:
            excess = torch.randn(batch_size, f, generator=generator) @ factor - toy.correlation_thresholds
            fired = torch.from_numpy(np.flatnonzero(excess.numpy() > 0))
            deltas = torch.zeros(batch_size * f)
            deltas.scatter_(0, fired, torch.randn(len(fired), generator=generator))
            magnitudes = torch.addcmul(mean, deltas.view(batch_size, f), std).relu_()
            feature_acts = where_above(magnitudes, excess, 0.0)
            yield (vectors.T @ feature_acts.T).T

    def sample(self, rows: int, generator: torch.Generator) -> Float[Tensor, "b f"]:
        """Feature activations of `rows` samples, drawn from `generator`."""
        with drawing_from(generator):
            return self.activations.sample(rows)

    @torch.no_grad()
    def embed(self, feature_acts: Float[Tensor, "b f"]) -> Float[Tensor, "b d"]:
        """The activations that an SAE sees: each feature's activation times its vector, summed."""
        return self.features(feature_acts)


@dataclass(frozen=True)
class Sample:
    """The fixed evaluation sample: what the features do and what an SAE sees of it."""

    feature_acts: Float[Tensor, "b f"]
    activations: Float[Tensor, "b d"]


def build_toy(params: ToyParams) -> Toy:
    """Make the toy that a section of `toys` describes.

    Features are orthogonal where `num_features <= d_in` and `orthogonalization_steps` suffice. They fire by a Gaussian
    copula: feature i is active where the i-th of `num_features` correlated normals exceeds the threshold that gives it
    its firing probability, with activation ReLU(mean + std * gaussian).
    """
    count = params.num_features
    orthogonal = orthogonal_initializer(num_steps=params.orthogonalization_steps)
    features = FeatureDictionary(count, params.d_in, initializer=orthogonal, seed=params.seed)
    probabilities = _firing_probabilities(count, params.firing_probability)
    correlation = params.correlation
    return _assemble(
        feature_vectors=features.feature_vectors.detach(),
        firing_probabilities=probabilities,
        mean_magnitudes=torch.full_like(probabilities, params.magnitude.mean),
        std_magnitudes=torch.full_like(probabilities, params.magnitude.std),
        correlation_matrix=random_correlation_matrix(count, correlation) if correlation else torch.eye(count),
    )


def with_hub(toy: Toy, rho: float) -> Toy:
    """The toy with feature 0 correlated by `rho` with every other feature, and those with each other not at all.

    A hair is taken off rho, since the greatest possible one, 1 / √(f − 1), has no Cholesky factor.
    """
    matrix = torch.eye(toy.features.num_features)
    matrix[0, 1:] = matrix[1:, 0] = rho * (1 - 1e-5)
    acts = toy.activations
    return _assemble(
        toy.features.feature_vectors.detach(),
        acts.firing_probabilities,
        acts.mean_firing_magnitudes,
        acts.std_firing_magnitudes,
        matrix,
    )


def random_correlation_matrix(num_features: int, params: Correlation) -> Float[Tensor, "f f"]:
    """The paper's random correlations: a share of the pairs zero, a share of the rest positive, strengths uniform.

    Draws in the order of the paper's public code (pairs, then a strength a pair, the positive ones first), so that seed
    42 names the same matrix; SAELens's own generator shuffles the signs in between and so names another. Where the
    matrix is not positive definite its eigenvalues are clipped at 1e-6 and the unit diagonal is restored, by SAELens.
    """
    draw = random.Random(params.seed)
    pairs = list(combinations(range(num_features), 2))
    correlated = draw.sample(pairs, len(pairs) - int(len(pairs) * params.uncorrelated))
    positive = int(len(correlated) * params.positive)
    strengths = [draw.uniform(params.min_strength, params.max_strength) for _ in correlated]
    signed = {
        pair: strength if rank < positive else -strength
        for rank, (pair, strength) in enumerate(zip(correlated, strengths, strict=True))
    }
    return create_correlation_matrix_from_correlations(num_features, signed)


def feature_table(toy: Toy) -> pd.DataFrame:
    """A row a feature, with the columns of `FEATURES`."""
    columns = (
        range(toy.features.num_features),
        toy.activations.firing_probabilities.double(),
        toy.activations.mean_firing_magnitudes.double(),
        toy.activations.std_firing_magnitudes.double(),
    )
    return pd.DataFrame(dict(zip(FEATURES.names, columns, strict=True)))


def correlation_table(toy: Toy) -> pd.DataFrame:
    """A row an ordered pair of features, with the columns of `CORRELATIONS`."""
    count = toy.features.num_features
    i, j = torch.cartesian_prod(torch.arange(count), torch.arange(count)).T
    columns = (i, j, _correlation_matrix(toy).double().flatten())
    return pd.DataFrame(dict(zip(CORRELATIONS.names, columns, strict=True)))


def toy_stats(toy: Toy, feature_acts: Float[Tensor, "b f"]) -> dict[str, object]:
    """The toy in numbers: true L0 (measured on a sample, and the sum of the firing probabilities it estimates), and
    SAELens's statistics of the correlations and of the feature vectors' superposition."""
    superposition = compute_superposition_stats(toy.features)
    return {
        "true_l0": true_l0(feature_acts),
        "sum_of_firing_probabilities": toy.activations.firing_probabilities.double().sum().item(),
        "correlation": asdict(compute_correlation_matrix_stats(_correlation_matrix(toy))),
        "superposition": {
            "mean_abs_cos_sim": superposition.mean_abs_cos_sim,
            "mean_max_abs_cos_sim": superposition.mean_max_abs_cos_sim,
            "mean_percentile_abs_cos_sim": superposition.mean_percentile_abs_cos_sim,
            "num_features": superposition.num_features,
            "hidden_dim": superposition.hidden_dim,
        },
    }


def true_l0(feature_acts: Float[Tensor, "b f"]) -> float:
    """Mean number of features with an activation above 0, a sample."""
    return (feature_acts > 0).sum(dim=1).double().mean().item()


def save_toy(toy: Toy, feature_acts: Float[Tensor, "b f"], folder: Path) -> None:
    """Write a toy (`toy.safetensors`) and its evaluation sample (`sample.safetensors`) to a folder."""
    tensors = {
        "feature_vectors": toy.features.feature_vectors.detach(),
        "firing_probabilities": toy.activations.firing_probabilities,
        "mean_magnitudes": toy.activations.mean_firing_magnitudes,
        "std_magnitudes": toy.activations.std_firing_magnitudes,
        "correlation_matrix": _correlation_matrix(toy),
    }
    save_tensors(tensors, folder / "toy.safetensors")
    save_tensors({"feature_acts": feature_acts}, folder / "sample.safetensors")


def load_toy(folder: Path) -> Toy:
    """Read the toy that `save_toy` wrote.

    Raises:
        FileNotFoundError, ValueError: a file is missing, or is not what was written.
    """
    return _assemble(**load_tensors(folder / "toy.safetensors"))


def load_sample(toy: Toy, folder: Path) -> Sample:
    """Read the evaluation sample that `save_toy` wrote; raises as `load_toy` does."""
    feature_acts = load_tensors(folder / "sample.safetensors")["feature_acts"]
    return Sample(feature_acts, toy.embed(feature_acts))


def save_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    """Write a safetensors file that says what it holds by a digest, since safetensors sees no flipped bit.

    Raises:
        OSError: it cannot be written.
    """
    try:
        save_file(tensors, path, {"sha256": _digest(tensors)})
    except SafetensorError as error:
        raise OSError(str(error)) from error


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file that `save_tensors` wrote.

    Raises:
        FileNotFoundError, ValueError: the file is missing, or is not what was written.
    """
    try:
        with safe_open(path, "pt") as file:
            written, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path} is not a readable safetensors file: {error}") from error
    if (written or {}).get("sha256") != _digest(tensors):
        raise ValueError(f"{path} is not a readable safetensors file: it does not hold what was written")
    return tensors


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _firing_probabilities(count: int, firing: LinearFiring | ZipfFiring) -> Float[Tensor, " f"]:
    if isinstance(firing, ZipfFiring):
        return zipfian_firing_probabilities(count, firing.exponent, max_prob=firing.max, min_prob=firing.min)
    return linear_firing_probabilities(count, max_prob=firing.max, min_prob=firing.min)


def _assemble(
    feature_vectors: Float[Tensor, "f d"],
    firing_probabilities: Float[Tensor, " f"],
    mean_magnitudes: Float[Tensor, " f"],
    std_magnitudes: Float[Tensor, " f"],
    correlation_matrix: Float[Tensor, "f f"],
) -> Toy:
    count, width = feature_vectors.shape
    features = FeatureDictionary(count, width, initializer=None, seed=0)
    features.feature_vectors.data = feature_vectors
    activations = ActivationGenerator(
        count,
        firing_probabilities,
        std_firing_magnitudes=std_magnitudes,
        mean_firing_magnitudes=mean_magnitudes,
        correlation_matrix=correlation_matrix,
    )
    return Toy(features, activations)


def _correlation_matrix(toy: Toy) -> Float[Tensor, "f f"]:
    matrix = toy.activations.correlation_matrix
    assert matrix is not None, "every toy is built with a correlation matrix"
    return matrix
