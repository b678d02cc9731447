"""Makes a toy from the laws in the params: all are SAELens's except the paper's correlations."""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations

import torch
from jaxtyping import Float
from sae_lens.synthetic import (
    ConstantFiringProbabilityConfig,
    ConstantMagnitudeConfig,
    ExponentialMagnitudeConfig,
    FeatureDictionary,
    FiringProbabilityConfig,
    FoldedNormalMagnitudeConfig,
    HierarchyConfig,
    LinearFiringProbabilityConfig,
    LinearMagnitudeConfig,
    LowRankCorrelationConfig,
    LowRankCorrelationMatrix,
    MagnitudeConfig,
    OrthogonalizationConfig,
    RandomFiringProbabilityConfig,
    SyntheticModel,
    SyntheticModelConfig,
    ZipfianFiringProbabilityConfig,
    create_correlation_matrix_from_correlations,
    generate_hierarchy,
    generate_random_low_rank_correlation_matrix,
    orthogonal_initializer,
)
from torch import Tensor

from sbw.params.toys import (
    ConstantFiring,
    ConstantMagnitude,
    ExponentialMagnitude,
    Firing,
    GaussianNoise,
    LinearMagnitude,
    LowRankCorrelation,
    Magnitude,
    PairCorrelation,
    RandomCorrelation,
    RandomFiring,
    ToyParams,
    ZipfFiring,
)
from sbw.run.errors import UserError
from sbw.toy.generators import seeded
from sbw.toy.model import Noise, Toy, with_correlations


def build_toy(params: ToyParams, key: str = "toy") -> Toy:
    """Make the toy that a section of `toys` describes.

    Features are orthogonal where `num_features <= d_in` and `orthogonalization_steps` suffice. They fire by a Gaussian
    copula: feature i is active where the i-th of `num_features` correlated normals exceeds the threshold that gives it
    its firing probability, with activation ReLU(mean_i + std * gaussian); in a hierarchy, only where its parent is.
    Noise, where there is any, is added to what they sum up to.

    Args:
        params: the section.
        key: its name, for messages.

    Raises:
        UserError: a law is refused, mostly by SAELens; the message names the key.
    """
    config, low_rank = _config(params, key), _low_rank(params, key)
    with _naming(key):
        orthogonal = orthogonal_initializer(params.orthogonalization_steps, show_progress=sys.stderr.isatty())
        features = FeatureDictionary(params.num_features, params.d_in, initializer=orthogonal, seed=params.seed)
        model = SyntheticModel(config, feature_dict=features, correlation_matrix=low_rank)
    toy = Toy(features, model.activation_generator, model, _noise(params))
    with _naming(f"{key}.correlation"):
        if isinstance(params.correlation, RandomCorrelation):
            return with_correlations(toy, random_correlation_matrix(params.num_features, params.correlation))
        if isinstance(params.correlation, PairCorrelation):
            return with_correlations(toy, _matrix_of_pairs(params.num_features, params.correlation))
    return toy


def firing_probabilities(firing: Firing, num_features: int, seed: int = 0) -> Float[Tensor, " f"]:
    """The firing probability of each feature by a law; the seed is that of the laws that draw."""
    return _firing(firing).generate(num_features, seed)


def random_correlation_matrix(num_features: int, params: RandomCorrelation) -> Float[Tensor, "f f"]:
    """The paper's random correlations: a share of the pairs zero, a share of the rest positive, strengths uniform.

    Draws in the order of the paper's public code (pairs, then one strength per pair, the positive ones first), so that
    seed 42 gives the same matrix; SAELens's own generator shuffles the signs in between and gives another. Where the
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


def _matrix_of_pairs(num_features: int, params: PairCorrelation) -> Float[Tensor, "f f"]:
    named = {(i, j): rho for i, j, rho in params.pairs}
    matrix = create_correlation_matrix_from_correlations(num_features, named)
    for (i, j), rho in named.items():
        if abs(matrix[i, j].item() - rho) > 1e-6:  # SAELens clips eigenvalues, which changes pairs
            raise ValueError(f"no features have all of these correlations: that of {i} and {j} is {matrix[i, j]:.3g}")
    return matrix


def _config(params: ToyParams, key: str) -> SyntheticModelConfig:
    with _naming(f"{key}.firing"):
        rates = firing_probabilities(params.firing, params.num_features, params.seed)
        if not ((rates > 0) & (rates <= 1)).all():
            least, most = rates.aminmax()
            raise ValueError(f"its probabilities must lie above 0 and not above 1, got {least:.9g} to {most:.9g}")
    with _naming(f"{key}.magnitude"):
        magnitude = _magnitude(params.magnitude)
    with _naming(f"{key}.hierarchy"):
        hierarchy = HierarchyConfig.from_dict(params.hierarchy.model_dump()) if params.hierarchy else None
        if hierarchy:
            generate_hierarchy(params.num_features, hierarchy, params.seed)  # refuses what only the trees reveal
    correlation = params.correlation
    return SyntheticModelConfig(
        num_features=params.num_features,
        hidden_dim=params.d_in,
        firing_probability=_firing(params.firing),
        hierarchy=hierarchy,
        orthogonalization=OrthogonalizationConfig(params.orthogonalization_steps),
        correlation=LowRankCorrelationConfig(correlation.rank, correlation.scale, correlation.seed)
        if isinstance(correlation, LowRankCorrelation)
        else None,
        std_firing_magnitudes=params.magnitude.std,
        mean_firing_magnitudes=magnitude,
        bias=False,
        seed=params.seed,
    )


def _firing(firing: Firing) -> FiringProbabilityConfig:
    if isinstance(firing, ConstantFiring):
        return ConstantFiringProbabilityConfig(firing.probability)
    if isinstance(firing, RandomFiring):
        return RandomFiringProbabilityConfig(firing.max, firing.min)
    if isinstance(firing, ZipfFiring):
        return ZipfianFiringProbabilityConfig(firing.exponent, firing.max, firing.min)
    return LinearFiringProbabilityConfig(firing.max, firing.min)


def _magnitude(magnitude: Magnitude) -> MagnitudeConfig:
    if isinstance(magnitude, ConstantMagnitude):
        return ConstantMagnitudeConfig(magnitude.mean)
    if isinstance(magnitude, LinearMagnitude):
        return LinearMagnitudeConfig(magnitude.start, magnitude.end)
    if isinstance(magnitude, ExponentialMagnitude):
        return ExponentialMagnitudeConfig(magnitude.start, magnitude.end)
    return FoldedNormalMagnitudeConfig(magnitude.mean, magnitude.spread)


def _low_rank(params: ToyParams, key: str) -> LowRankCorrelationMatrix | None:
    law = params.correlation
    if not isinstance(law, LowRankCorrelation):
        return None
    with _naming(f"{key}.correlation"):
        return generate_random_low_rank_correlation_matrix(params.num_features, law.rank, law.scale, law.seed)


def _noise(params: ToyParams) -> Noise | None:
    law = params.noise
    if law is None:
        return None
    if isinstance(law, GaussianNoise):
        return Noise(law.scale, torch.eye(params.d_in))
    drawn = torch.randn(params.d_in, law.rank, generator=seeded(law.seed))
    return Noise(law.scale, torch.linalg.qr(drawn).Q.T.contiguous())


@contextmanager
def _naming(key: str) -> Iterator[None]:
    try:
        yield
    except (TypeError, ValueError, RuntimeError) as refusal:
        raise UserError(f"`{key}` was refused: {refusal}") from refusal
