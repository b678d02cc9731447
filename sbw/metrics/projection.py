"""Decoder projections: how strongly the n-th best decoder direction fires on a sample.

Shapes: b samples, d width of the activations, h latents.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize


def decoder_projections(
    x: Float[Tensor, "b d"], W_dec: Float[Tensor, "h d"], b_dec: Float[Tensor, " d"]
) -> Float[Tensor, " h-1"]:
    """s_n^dec for n = 1 … h − 1, in the units of x (§4.1 of arXiv 2508.16560).

    With unit-norm rows u_i = d_i / ‖d_i‖, the b·h values of (x − b_dec) Uᵀ are sorted in descending order, and s_n is
    the one at index n·b: the threshold that keeps n latents a sample.
    """
    projections = (x - b_dec) @ normalize(W_dec, dim=1).T
    # numpy's sort is several times faster than torch's.
    ascending = torch.from_numpy(np.sort(projections.numpy(), axis=None))
    return ascending[ascending.numel() - 1 - len(x) * torch.arange(1, len(W_dec))]
