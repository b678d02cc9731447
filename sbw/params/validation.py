"""The params of the validation: toys with a known L0, on which the recommendation is fitted and tested."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from sbw.params.base import Count, Name, Positive, Section, Seed, Share, require, require_distinct
from sbw.params.data import Synthesize
from sbw.params.toys import Noise, ToyParams
from sbw.params.training import Seeds, Training


def _ordered(ends: tuple[float, float]) -> tuple[float, float]:
    require(ends[0] <= ends[1], f"must ascend, got {list(ends)}")
    return ends


LEAST_FITTED = 5
"""Toys to fit on, at least: the intervals leave out one fifth at a time."""
Range = Annotated[tuple[Positive, Positive], Field(strict=False), AfterValidator(_ordered)]
"""Least and greatest."""


class Prior(Section):
    """What toys are drawn from, evenly in the logarithm within each range (`sbw/synthesis/prior.py`)."""

    toys: Count
    """Number of toys."""
    seed: Seed
    """Seed of all that is drawn."""
    num_features: Range
    """Features of a toy."""
    width: Range
    """Width of the activations, per feature."""
    latents: Range
    """Latents per feature, where they are not as many as features."""
    true_l0: Range
    """Sum of the firing probabilities."""
    spread: Range
    """Standard deviation of a feature's activations, over their mean."""
    noise: Range
    """Standard deviation of the noise per dimension."""
    length: Range
    """Training, in multiples of the set's `training.samples`."""
    clean: Share
    """Share of the toys without noise."""
    as_many: Share
    """Share of the toys with as many latents as features."""

    @model_validator(mode="after")
    def _large_enough(self) -> Self:
        least = self.num_features[0]
        require(least >= 4, f"`num_features` must be at least 4, a tree of the hierarchies, got {least:g}")
        return self


class KnownToy(ToyParams):
    d_sae: Annotated[int, Field(ge=4)] | None = None
    """Latents of the SAEs; by default the number of features."""

    @property
    def latents(self) -> int:
        """Latents of the SAEs."""
        return self.d_sae or self.num_features


class LogSweep(Section):
    l0s: Annotated[int, Field(ge=4)]
    """Number of L0s, evenly spaced in the logarithm."""
    least: Positive
    """Least L0, in multiples of the learnable one."""
    most: Positive
    """Greatest L0, likewise; SAEs of more than 3/4 of the latents are left out."""
    seeds: Seeds
    """Seeds of the initial weights, one SAE per seed and L0."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        require(self.least < self.most, f"`least` must be below `most` ({self.most:g}), got {self.least:g}")
        return self


class ToySet(Section):
    training: Training
    """Of the SAEs on each toy of the set."""
    sweep: LogSweep
    """L0s of these SAEs."""
    prior: Prior | None = None
    """What the toys are drawn from; by default they are those of `toys`."""
    noise: Annotated[list[Noise | None], Field(min_length=1, default=[None])]
    """Noise added to the toys of `toys`, each of which is taken with each; no two of one law."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        require_distinct("noise", [noise and noise.law for noise in self.noise])
        return self


class Cell(Section):
    set: str
    """Name of a set in `sets`."""
    toys: Annotated[tuple[int, int], Field(strict=False)]
    """The first toy of the set that is the cell's, and the first that is not, counted from 0."""


class Validation(Section):
    sets: dict[Name, ToySet]
    fitted_on: Annotated[list[str], Field(min_length=1)]
    """Sets that the rule is fitted on; the others test it."""
    cells: dict[Name, Cell]
    """Toys of a set that one process trains on, and measures."""
    synthesize: Synthesize
    toys: dict[Name, KnownToy]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        allowed = f"must be one of: {', '.join(self.sets)}"
        for name in self.fitted_on:
            require(name in self.sets, f"`fitted_on` {allowed}, got {name!r}")
        require_distinct("fitted_on", self.fitted_on)
        taken = dict[tuple[str, int], str]()
        for name, cell in self.cells.items():
            require(cell.set in self.sets, f"`cells.{name}.set` {allowed}, got {cell.set!r}")
            count, (first, end) = self.size(cell.set), cell.toys
            rule = f"must satisfy 0 <= first < end <= {count}, the toys of `sets.{cell.set}`"
            require(0 <= first < end <= count, f"`cells.{name}.toys` {rule}, got {list(cell.toys)}")
            for toy in range(first, end):
                other = taken.setdefault((cell.set, toy), name)
                require(other == name, f"`cells.{name}.toys` must have no toy of `cells.{other}`, got {toy}")
        fitted = sum(which in self.fitted_on for which, _ in taken)
        rule = f"must have at least {LEAST_FITTED} toys of the sets in `fitted_on`"
        require(fitted >= LEAST_FITTED, f"`cells` {rule}, got {fitted}")
        require(bool(self.tested_on), "`cells` must have toys of a set that is not in `fitted_on`")
        return self

    @property
    def tested_on(self) -> list[str]:
        """The sets that test the rule, of which some cell has toys."""
        in_cells = {cell.set for cell in self.cells.values()}
        return [name for name in self.sets if name in in_cells and name not in self.fitted_on]

    def size(self, name: str) -> int:
        """The number of toys of a set."""
        of_set = self.sets[name]
        return of_set.prior.toys if of_set.prior else len(of_set.noise) * len(self.toys)
