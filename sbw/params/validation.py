"""The params of the validation: toys with a known L0, on which the recommendation is tested."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from sbw.params.base import Name, Positive, Section, require
from sbw.params.data import Synthesize
from sbw.params.toys import ToyParams
from sbw.params.training import Grid, Seeds, Training


class KnownToy(ToyParams):
    set: str
    """Name of a set in `sets`: whether the rule was made on this toy or only tested on it."""
    d_sae: Annotated[int, Field(ge=4)] | None = None
    """Latents of the SAEs; by default the number of features."""

    @property
    def latents(self) -> int:
        """Latents of the SAEs."""
        return self.d_sae or self.num_features


class LogSweep(Section):
    l0s: Annotated[int, Field(ge=4)]
    """Number of L0s, evenly spaced in the logarithm."""
    least: Positive = 1.0
    """Least L0."""
    most: Positive | None = None
    """Greatest L0; by default half the number of features."""
    seeds: Seeds
    """Seeds of the initial weights, one SAE per seed and L0."""

    def ks(self, num_features: int) -> list[float]:
        """The L0s for a toy of that many features."""
        most, steps = self.most or num_features / 2, self.l0s - 1
        return [round(self.least * (most / self.least) ** (step / steps), 4) for step in range(self.l0s)]


class ToySet(Section):
    training: Training
    """Of the SAEs on each toy of the set."""
    sweep: LogSweep
    """L0s of these SAEs."""


class Validation(Section):
    sets: dict[Name, ToySet]
    synthesize: Synthesize
    toys: dict[Name, KnownToy]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name, toy in self.toys.items():
            require(toy.set in self.sets, f"`toys.{name}.set` must be one of: {', '.join(self.sets)}, got {toy.set!r}")
            key, sweep = f"sets.{toy.set}.sweep", self.sets[toy.set].sweep
            least, *_, most = sweep.ks(toy.num_features)
            require(toy.latents >= 4, f"`toys.{name}` must have 4 latents or more, got {toy.latents}")
            require(least < most, f"`{key}.least` must be below `{key}.most` ({most:g}), got {least:g}")
            message = f"`{key}.most` must be at most the {toy.latents} latents of `toys.{name}`, got {most:g}"
            require(most <= toy.latents, message)
            self.grid(name).require_consistent(key, self.sets[toy.set].training, toy.num_features)
        return self

    def grid(self, name: str) -> Grid:
        """The sweep of a toy."""
        toy = self.toys[name]
        sweep = self.sets[toy.set].sweep
        ks = sweep.ks(toy.num_features)
        return Grid(kind="grid", toy=name, ks=ks, start="random", d_sae=toy.latents, seeds=sweep.seeds)

    def like(self, name: str) -> str:
        """The first toy that differs from this one in `d_sae` at most."""

        def laws(toy: KnownToy) -> KnownToy:
            return toy.model_copy(update={"d_sae": None})

        return next(other for other, toy in self.toys.items() if laws(toy) == laws(self.toys[name]))
