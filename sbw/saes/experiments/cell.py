"""An SAE that an experiment trains."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sae_lens import TrainingSAE

from sbw.files import folder_of
from sbw.toy.model import Toy


@dataclass(frozen=True)
class Cell:
    """An SAE that an experiment trains: what it is known by, how it begins, and on what it is trained."""

    keys: dict[str, float]
    """Its keys in tables, by column; its folder is named after those."""
    sae: Callable[[], TrainingSAE[Any]]
    """Makes the untrained SAE."""
    toy: Toy
    """The toy whose activations it is trained on; cells that share it and the two below are trained together."""
    stream_seed: int
    """Seed of those activations."""
    samples: int
    """Number of them."""

    @property
    def folder(self) -> str:
        """Where among its experiment's SAEs it is kept."""
        return folder_of(self.keys)
