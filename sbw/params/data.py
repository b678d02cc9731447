"""The sections `collect_l0`, `synthesize` and `recommend`."""

from typing import Annotated

from pydantic import Field

from sbw.params.base import Patterns, Section, Seed


class CollectL0(Section):
    models: Patterns
    """Shell patterns; an SAE is selected only where one matches its model."""
    releases: Patterns
    """Shell patterns; an SAE is selected only where one matches its release."""
    require_neuronpedia: bool
    """Whether an SAE is selected only if Neuronpedia shows it."""


class Synthesize(Section):
    eval_samples: Annotated[int, Field(ge=10)]
    """Rows of the fixed evaluation sample; standard errors come from ten blocks of them."""
    seed: Seed
    """Seed of the fixed evaluation sample."""


class Recommend(Section):
    seed: Seed
    """Seed of the bootstrap draws."""
