"""Codes by matching pursuit: what an SAE's dictionary explains, whatever its encoder does.

Shapes: b samples, h latents, d width of the activations.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

_REFITS = 30


@torch.no_grad()
def pursue(
    centred: Float[Tensor, "b d"], directions: Float[Tensor, "h d"], counts: Int[Tensor, " b"]
) -> Float[Tensor, "b h"]:
    """Codes z ≥ 0 by matching pursuit (Mallat & Zhang 1993) of x − b_dec in unit directions u_i.

    Each sample takes as many latents as its count, one by one the one that lies most with what is left over, while any
    does. Then the codes of those taken are fitted together, without negative ones, by an accelerated projected gradient
    (Beck & Teboulle 2009). A linear encoder lets latents that overlap answer together; this explains the overlap away.
    """
    gram, toward = directions @ directions.T, centred @ directions.T
    left, taken = toward.clone(), torch.zeros_like(toward, dtype=torch.bool)
    for step in range(int(counts.max())):
        most, latent = left.masked_fill(taken, -1.0).max(dim=1)
        rows = torch.nonzero((most > 0) & (counts > step)).squeeze(1)
        if not len(rows):
            break
        taken[rows, latent[rows]] = True
        left[rows] -= most[rows, None] * gram[latent[rows]]
    return _refitted(gram, toward, taken)


def _refitted(gram: Float[Tensor, "h h"], toward: Float[Tensor, "b h"], taken: Tensor) -> Float[Tensor, "b h"]:
    codes = ahead = torch.zeros_like(toward)
    rate, momentum = 1 / torch.linalg.matrix_norm(gram, ord=2), 1.0
    for _ in range(_REFITS):
        before = codes
        codes = (ahead + rate * (toward - ahead @ gram)).clamp_(min=0).mul_(taken)
        following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead, momentum = codes + (momentum - 1) / following * (codes - before), following
    return codes
