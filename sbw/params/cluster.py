"""The section `cluster`: the resources of a cell that `sbw cluster` runs; no stage reads it."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from sbw.params.base import Count, Positive, Section, require


class Cluster(Section):
    cpus: Count
    """Processors per cell; it uses at most one per seed."""
    gpus: Annotated[float, Field(ge=0)]
    """GPUs per cell; a fraction shares one."""
    memory: Positive
    """Memory per cell, in GB."""
    tries: Count
    """How often a cell is started, at most, if the machines that run it die."""
    folder: str
    """Folder on each machine for its clones and their cache: absolute, or relative to the home folder."""

    @model_validator(mode="after")
    def _whole_gpus(self) -> Self:
        whole = self.gpus < 1 or self.gpus == int(self.gpus)
        require(whole, f"`gpus` must be a whole number or below 1, got {self.gpus:g}")
        return self
