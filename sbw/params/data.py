"""The sections `collect_l0`, `toys` and `synthesize`: what the SAEs of the pipeline are trained and measured on."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sbw.params.base import Count, Patterns, Positive, Section, Seed, Share, require


class CollectL0(Section):
    models: Patterns
    """Shell patterns; an SAE is selected only where one matches its model."""
    releases: Patterns
    """Shell patterns; an SAE is selected only where one matches its release."""
    require_neuronpedia: bool
    """Whether an SAE is selected only if it can be looked at on Neuronpedia."""


class LinearFiring(Section):
    law: Literal["linear"]
    """Firing probabilities fall in a straight line from feature 0 to the last."""
    max: Share
    """Firing probability of feature 0."""
    min: Share
    """Firing probability of the last feature."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        require(self.min <= self.max, f"`min` must be at most `max` ({self.max}), got {self.min}")
        return self


class ZipfFiring(Section):
    law: Literal["zipf"]
    """Firing probabilities fall as a power of the feature's rank, from feature 0 to the last."""
    max: Share
    """Firing probability of feature 0."""
    min: Share
    """Firing probability of the last feature."""
    exponent: Positive
    """The power."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        require(self.min < self.max, f"`min` must be below `max` ({self.max}), got {self.min}")
        return self


class Magnitude(Section):
    mean: Positive
    """Mean activation of a feature that fires."""
    std: Annotated[float, Field(ge=0)]
    """Standard deviation of it, before the ReLU."""


class Correlation(Section):
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


class ToyParams(Section):
    num_features: Annotated[int, Field(ge=2)]
    """Number of true features."""
    d_in: Count
    """Width of the activations that the features are embedded in."""
    seed: Seed
    """Seed of the feature vectors."""
    orthogonalization_steps: Annotated[int, Field(ge=0)]
    """Steps of gradient descent that make the feature vectors orthogonal; few leave some superposition."""
    firing_probability: Annotated[LinearFiring | ZipfFiring, Field(discriminator="law")]
    magnitude: Magnitude
    correlation: Correlation | None
    """Of the Gaussian copula that decides which features fire together; null where they fire independently."""


class Synthesize(Section):
    eval_samples: Count
    """Rows of the fixed evaluation sample."""
    seed: Seed
    """Seed of the fixed evaluation sample."""
