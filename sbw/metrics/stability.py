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
"""Latents up to which decoders are matched with each other: the time goes with the cube of their number."""


def decoder_agreement(a: Float[Tensor, "h d"], b: Float[Tensor, "h d"]) -> float:
    """MCC of two decoders: the mean |cosine| of their rows, matched one to one so that it is greatest.

    1 for the same latents in any order and sign.
    """
    cosines = cosine_similarities(a, b)
    return cosines.gather(1, match_features(cosines)[:, None]).abs().double().mean().item()


@torch.no_grad()
def agreements(decoders: Mapping[K, Float[Tensor, "h d"]]) -> list[tuple[K, K, float]]:
    """Each pair of decoders by their keys, with their agreement; none of more than MATCHED_UP_TO latents."""
    small = [key for key, decoder in decoders.items() if len(decoder) <= MATCHED_UP_TO]
    return [(a, b, decoder_agreement(decoders[a], decoders[b])) for a, b in combinations(small, 2)]
