"""Seeds and generators: every draw in this package is from a generator passed in."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def seeded(seed: int) -> torch.Generator:
    """A CPU generator seeded with `seed`."""
    return torch.Generator().manual_seed(seed)


@contextmanager
def drawing_from(generator: torch.Generator) -> Iterator[None]:
    """Let library code that only knows torch's global CPU generator draw from `generator` instead.

    `generator` advances as if it had been drawn from, and the global generator is unchanged.
    """
    outside = torch.get_rng_state()
    torch.set_rng_state(generator.get_state())
    try:
        yield
    finally:
        generator.set_state(torch.get_rng_state())
        torch.set_rng_state(outside)
