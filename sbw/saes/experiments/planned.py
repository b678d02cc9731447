"""An SAE that an experiment trains."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sae_lens import TrainingSAE

from sbw.files import folder_of
from sbw.toy.model import Toy


@dataclass(frozen=True)
class PlannedSae:
    """An SAE that an experiment trains: its keys, its initial weights and its training data."""

    keys: dict[str, float]
    """Its keys in tables, by column; its folder is named after them."""
    sae: Callable[[], TrainingSAE[Any]]
    """Makes the untrained SAE."""
    toy: Toy
    """The toy whose activations it is trained on; SAEs that share it and the two below are trained together."""
    stream_seed: int
    """Seed of those activations."""
    samples: int
    """Number of them."""

    @property
    def stream(self) -> tuple[int, int, int]:
        """What SAEs that are trained on the same activations have in common."""
        return id(self.toy), self.stream_seed, self.samples

    @property
    def folder(self) -> str:
        """Its folder among its experiment's SAEs."""
        return folder_of(self.keys)
