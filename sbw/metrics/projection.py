"""Decoder projections and s_n^dec.

Shapes: b samples, d width of the activations, h latents.
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize


def decoder_projections(
    x: Float[Tensor, "b d"], W_dec: Float[Tensor, "h d"], b_dec: Float[Tensor, " d"]
) -> Float[Tensor, "b h"]:
    """(x − b_dec) Uᵀ in the units of x; the rows of U are u_i = d_i / ‖d_i‖."""
    return (x - b_dec) @ normalize(W_dec, dim=1).T


def nth_projections(projections: Float[Tensor, "b h"]) -> Float[Tensor, " h-1"]:
    """s_n^dec for n = 1 … h − 1 (§4.1 of arXiv 2508.16560).

    The b·h projections are sorted in descending order, and s_n is the one at index n·b: the threshold that keeps n
    latents per sample.
    """
    b, h = projections.shape
    # numpy's sort is several times faster than torch's.
    ascending = torch.from_numpy(np.sort(projections.numpy(), axis=None))
    return ascending[ascending.numel() - 1 - b * torch.arange(1, h)]


def sampling_error(projections: Float[Tensor, "b h"], blocks: int = 10) -> Float[Tensor, " h-1"]:
    """Standard error of `nth_projections` over samples, from its spread over blocks of samples (batch means)."""
    of_blocks = torch.stack([nth_projections(block) for block in projections.tensor_split(blocks)])
    return of_blocks.std(dim=0) / math.sqrt(blocks)
