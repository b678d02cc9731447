"""The section `cluster`: what a cell of a sweep is given by `python -m sbw cluster`. No stage reads it."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from sbw.params.base import Count, Positive, Section, require


class Cluster(Section):
    cpus: Count
    """Processors of a cell; it has use for one a seed."""
    gpus: Annotated[float, Field(ge=0)]
    """GPUs of a cell; a fraction shares one."""
    memory: Positive
    """Memory of a cell, in GB."""
    tries: Count
    """How often a cell is begun, where the machines that run it die."""
    folder: str
    """Folder on each machine for its clones and their cache, absolute or seen from the home folder there."""

    @model_validator(mode="after")
    def _whole_gpus(self) -> Self:
        whole = self.gpus < 1 or self.gpus == int(self.gpus)
        require(whole, f"`gpus` must be a whole number or below 1, got {self.gpus:g}")
        return self
