"""s_n^dec of more decoder projections than fit in memory.

Shapes: b samples, d width of the activations, h latents.
"""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from sbw.metrics.projection import decoder_projections

RELATIVE_ERROR = 2.0**-11
"""Greatest relative error of a streamed s_n."""

_DROPPED_BITS = 13  # of the 23 of a float32's mantissa: 10 are kept
_BINS = 1 << (32 - _DROPPED_BITS)
_AT_ONCE = 1 << 24


class StreamedProjections:
    """Counts decoder projections in bins, one per float with 10 bits of mantissa.

    The bits of float32s, once those of negative ones are flipped, are in the order of their values. So a projection's
    upper bits are its bin: no range has to be known beforehand.
    """

    def __init__(self, W_dec: Float[Tensor, "h d"], b_dec: Float[Tensor, " d"]):
        self.W_dec, self.b_dec = W_dec, b_dec
        self.counts: NDArray[np.int64] = np.zeros(_BINS, dtype=np.int64)
        self.rows = 0

    @torch.no_grad()
    def add(self, x: Float[Tensor, "b d"]) -> None:
        """Count the projections of a batch."""
        for rows in torch.split(x, max(1, _AT_ONCE // len(self.W_dec))):
            projections = decoder_projections(rows.float(), self.W_dec, self.b_dec)
            bits = projections.cpu().numpy().reshape(-1).view(np.int32)
            ordered = bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))
            self.counts += np.bincount((ordered >> _DROPPED_BITS) + _BINS // 2, minlength=_BINS)
        self.rows += len(x)

    def s_n(self) -> Float[Tensor, " h-1"]:
        """`nth_projections` of all batches together, to RELATIVE_ERROR."""
        n = np.arange(1, len(self.W_dec))
        at_least = np.cumsum(self.counts[::-1])[::-1]  # projections in this bin or above
        # The value at index n·rows, counted from 0, is in the last bin with more than that at or above it.
        found = _BINS - 1 - np.searchsorted(at_least[::-1], n * self.rows, side="right")
        return torch.from_numpy(_middle(found))


def _middle(bins: NDArray[np.int64]) -> NDArray[np.float32]:
    ordered = ((bins - _BINS // 2) << _DROPPED_BITS) + (1 << (_DROPPED_BITS - 1))
    bits = ordered.astype(np.int32)
    return (bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))).view(np.float32)
