"""The section `toys`: the laws of features whose L0 is known."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sbw.params.base import Count, Positive, Section, Seed, Share, require

Correlated = Annotated[float, Field(gt=-1, lt=1)]


class _Rates(Section):
    law: str
    max: Share
    """Greatest firing probability."""
    min: Share
    """Least firing probability."""


class _UnequalRates(_Rates):
    @model_validator(mode="after")
    def _ordered(self) -> Self:
        require(self.min < self.max, f"`min` must be below `max` ({self.max}), got {self.min}")
        return self


class LinearFiring(_Rates):
    law: Literal["linear"]
    """Firing probabilities fall linearly from feature 0 to the last."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        require(self.min <= self.max, f"`min` must be at most `max` ({self.max}), got {self.min}")
        return self


class ZipfFiring(_UnequalRates):
    law: Literal["zipf"]
    """Firing probabilities fall as a power of the feature's rank, from feature 0 to the last."""
    exponent: Positive
    """The power."""


class RandomFiring(_UnequalRates):
    law: Literal["random"]
    """Firing probabilities are uniform between the two, drawn from the toy's seed."""


class ConstantFiring(Section):
    law: Literal["constant"]
    """All features fire equally often."""
    probability: Annotated[float, Field(gt=0, le=1)]
    """Firing probability of every feature."""


Firing = Annotated[LinearFiring | ZipfFiring | RandomFiring | ConstantFiring, Field(discriminator="law")]


class _Spread(Section):
    law: str
    std: Annotated[float, Field(ge=0)]
    """Standard deviation, from sample to sample, of a firing feature's activation, before the ReLU."""


class ConstantMagnitude(_Spread):
    law: Literal["constant"]
    """All features have the same mean activation."""
    mean: Positive
    """Mean activation of a feature that fires."""


class LinearMagnitude(_Spread):
    law: Literal["linear"]
    """Mean activations change linearly from feature 0 to the last."""
    start: Positive
    """Mean activation of feature 0."""
    end: Positive
    """Mean activation of the last feature."""


class ExponentialMagnitude(_Spread):
    law: Literal["exponential"]
    """Mean activations change by equal ratios from feature 0 to the last."""
    start: Positive
    """Mean activation of feature 0."""
    end: Positive
    """Mean activation of the last feature."""


class FoldedNormalMagnitude(_Spread):
    law: Literal["folded_normal"]
    """Each feature's mean activation is the absolute value of a normal variate, drawn from the toy's seed."""
    mean: float
    """Mean of the normal."""
    spread: Positive
    """Standard deviation of the normal, from feature to feature."""


Magnitude = Annotated[
    ConstantMagnitude | LinearMagnitude | ExponentialMagnitude | FoldedNormalMagnitude, Field(discriminator="law")
]


class NoCorrelation(Section):
    law: Literal["none"]
    """Features fire independently."""


class RandomCorrelation(Section):
    law: Literal["random"]
    """A share of the pairs is correlated, with random signs and strengths, as in the paper."""
    uncorrelated: Share
    """Share of the feature pairs with no correlation."""
    positive: Share
    """Share of the correlated pairs with a positive one."""
    min_strength: Share
    """Least absolute correlation of a correlated pair."""
    max_strength: Share
    """Greatest absolute correlation of a correlated pair."""
    seed: Seed
    """Seed of the pairs, signs and strengths."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        message = f"`min_strength` must be at most `max_strength` ({self.max_strength}), got {self.min_strength}"
        require(self.min_strength <= self.max_strength, message)
        return self


class PairCorrelation(Section):
    law: Literal["pairs"]
    """Only the listed pairs are correlated."""
    pairs: Annotated[list[Annotated[tuple[int, int, Correlated], Field(strict=False)]], Field(min_length=1)]
    """Each pair: two features, the lower one first, and their correlation."""

    def require_features(self, num_features: int) -> None:
        """Refuse pairs that are not two of that many features, and repeated ones, with a ValueError."""
        named = [(i, j) for i, j, _ in self.pairs]
        for place, (i, j) in enumerate(named):
            rule = f"two features of 0 to {num_features - 1}, the lower one first"
            require(0 <= i < j < num_features, f"`correlation.pairs[{place}]` must name {rule}, got {i} and {j}")
            require((i, j) not in named[:place], f"`correlation.pairs[{place}]` names {i} and {j} again")


class LowRankCorrelation(Section):
    law: Literal["low_rank"]
    """The correlations are F Fᵀ off the diagonal, F with `rank` columns of normal variates times `scale`."""
    rank: Count
    """Columns of F, the common causes."""
    scale: Share
    """Strength: correlations are about scale² √rank if scale² rank is well below 1."""
    seed: Seed
    """Seed of F."""


Correlation = Annotated[
    NoCorrelation | RandomCorrelation | PairCorrelation | LowRankCorrelation, Field(discriminator="law")
]


class Hierarchy(Section):
    """SAELens's `HierarchyConfig`, with its defaults: a feature fires only if its parent does."""

    total_root_nodes: Count
    """Trees, whose roots are the first features."""
    branching_factor: Annotated[int, Field(ge=2)] | Annotated[list[int], Field(min_length=2, max_length=2)]
    """Children per parent, or the least and the most of them, drawn from the toy's seed."""
    max_depth: Count
    """Levels below the roots."""
    mutually_exclusive_portion: Share = 0.0
    """Share of the parents with at most one child that fires."""
    mutually_exclusive_min_depth: Annotated[int, Field(ge=0)] = 0
    """Least depth of such a parent; the roots' is 0."""
    mutually_exclusive_max_depth: Annotated[int, Field(ge=0)] | None = None
    """Greatest depth of such a parent."""
    compensate_probabilities: bool = False
    """Whether rates are raised, so that features fire about as often as in `firing` in spite of their parents."""
    scale_children_by_parent: bool = False
    """Whether a child's activation is multiplied by its parent's over the mean of that."""


class GaussianNoise(Section):
    law: Literal["gaussian"]
    """Independent noise in every dimension."""
    scale: Positive
    """Standard deviation per dimension."""


class LowRankNoise(Section):
    law: Literal["low_rank"]
    """Noise along a few dense directions, orthonormal, that no sparse feature explains."""
    rank: Count
    """Number of directions, at most `d_in`."""
    scale: Positive
    """Standard deviation along each."""
    seed: Seed
    """Seed of the directions."""


Noise = Annotated[GaussianNoise | LowRankNoise, Field(discriminator="law")]


class ToyParams(Section):
    num_features: Annotated[int, Field(ge=2)]
    """Number of true features."""
    d_in: Annotated[int, Field(ge=2)]
    """Width of the activations that the features are embedded in; superposition if below `num_features`."""
    seed: Seed
    """Seed of the feature vectors, and of every law that draws and has no seed of its own."""
    orthogonalization_steps: Annotated[int, Field(ge=0)]
    """Steps of gradient descent that make the feature vectors orthogonal; few leave some superposition."""
    firing: Firing
    """Firing probabilities."""
    magnitude: Magnitude
    """Activations of features that fire: ReLU(mean + std * gaussian)."""
    correlation: Correlation
    """Correlations of the Gaussian copula that decides which features fire together."""
    hierarchy: Hierarchy | None = None
    """Features that fire only if others do."""
    noise: Noise | None = None
    """What is added to the activations that no feature explains."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if isinstance(self.correlation, PairCorrelation):
            self.correlation.require_features(self.num_features)
        if isinstance(self.correlation, LowRankCorrelation):
            message = f"`correlation.rank` must be at most `num_features` ({self.num_features})"
            require(self.correlation.rank <= self.num_features, f"{message}, got {self.correlation.rank}")
        if isinstance(self.noise, LowRankNoise):
            require(
                self.noise.rank <= self.d_in,
                f"`noise.rank` must be at most `d_in` ({self.d_in}), got {self.noise.rank}",
            )
        storable = isinstance(self.correlation, NoCorrelation | LowRankCorrelation)
        message = "`correlation.law` must be 'none' or 'low_rank' where there is a `hierarchy`, got {!r}"
        require(self.hierarchy is None or storable, message.format(self.correlation.law))
        return self
