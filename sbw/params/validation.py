"""The params of the validation: toys with a known L0, on which the recommendation is tried."""

from typing import Annotated, Literal

from pydantic import Field

from sbw.params.base import Name, Section
from sbw.params.data import Synthesize
from sbw.params.toys import ToyParams
from sbw.params.training import Seeds, Training


class KnownToy(ToyParams):
    set: Literal["development", "held_out"]
    """Whether the rule was made on this toy, or only tried on it."""


class LogSweep(Section):
    l0s: Annotated[int, Field(ge=4)]
    """L0s to train at, evenly spaced in the logarithm from 1 to half the number of features."""
    seeds: Seeds
    """Seeds of the initial weights, an SAE each at every L0."""


class Validation(Section):
    training: Training
    sweep: LogSweep
    synthesize: Synthesize
    toys: dict[Name, KnownToy]
