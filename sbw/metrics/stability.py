"""Whether SAEs that differ only by their seed have learned the same latents.

Shapes: h latents, d width of the activations.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from sbw.metrics.geometry import cosine_similarities, match_features

K = TypeVar("K")

MATCHED_UP_TO = 4096
"""Most latents of decoders that are matched with each other: the time grows with the cube of their number."""


def decoder_agreement(a: Float[Tensor, "h d"], b: Float[Tensor, "h d"]) -> float:
    """MCC of two decoders: the greatest mean |cosine| of rows matched one to one; 1 for equal rows in any order."""
    cosines = cosine_similarities(a, b)
    return cosines.gather(1, match_features(cosines)[:, None]).abs().double().mean().item()


@torch.no_grad()
def agreements(decoders: Mapping[K, Float[Tensor, "h d"]]) -> list[tuple[K, K, float]]:
    """The keys and agreement of each pair of decoders that have at most MATCHED_UP_TO latents."""
    small = [key for key, decoder in decoders.items() if len(decoder) <= MATCHED_UP_TO]
    return [(a, b, decoder_agreement(decoders[a], decoders[b])) for a, b in combinations(small, 2)]
