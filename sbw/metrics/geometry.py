"""Cosines of an SAE's latents with each other and with the true features.

Shapes: h latents, f features, d width of the activations.
"""

import math

import torch
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import normalize

_BLOCK = 1024


def cosine_similarities(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """Signed cosine similarity of each row of `a` with each row of `b`; 0 for a row of zeros."""
    return normalize(a, dim=1) @ normalize(b, dim=1).T


def pairwise_cosine(rows: Float[Tensor, "h d"]) -> float:
    """Mean of |u_i · u_j| over the pairs i < j of unit-normalised rows.

    c_dec for the rows of W_dec, c_enc for the columns of W_enc (Eq. 5 of arXiv 2508.16560). Computed in blocks of 1,024
    rows, so that 32,768 rows need no matrix of their pairs.
    """
    u, total = normalize(rows, dim=1), 0.0
    for start in range(0, len(u), _BLOCK):
        block, rest = u[start : start + _BLOCK], u[start + _BLOCK :]
        total += (block @ block.T).abs_().triu(diagonal=1).sum(dtype=torch.double).item()
        total += (block @ rest.T).abs_().sum(dtype=torch.double).item()
    return total / math.comb(len(u), 2)


def null_pairwise_cosine(d: int) -> float:
    """The limit of `pairwise_cosine` for random directions in d dimensions: √(2 / (π d))."""
    return math.sqrt(2 / (math.pi * d))


def match_features(cosines: Float[Tensor, "h f"]) -> Int[Tensor, " h"]:
    """The feature of each latent, in the one-to-one matching with the greatest sum of |cosine|; −1 for no feature."""
    latents, features = linear_sum_assignment(-cosines.abs().numpy())
    matched = torch.full((len(cosines),), -1)
    matched[torch.as_tensor(latents)] = torch.as_tensor(features)
    return matched


def latent_mixing(
    decoder: Float[Tensor, "h f"], features: Float[Tensor, "f f"], feature: int
) -> tuple[Int[Tensor, " m"], Float[Tensor, " m"]]:
    """How much of one feature the latents of other features hold: u_i · f_j − f_m(i) · f_j, signed.

    Args:
        decoder: cosines of decoder rows with features, u_i · f_j.
        features: cosines of the features with each other; in superposition they are not 0, and are not mixing.
        feature: j.

    Returns:
        The latents i that are matched to another feature m(i), one to one, and the mixing of each.
    """
    matched = match_features(decoder)
    others = torch.nonzero((matched >= 0) & (matched != feature)).flatten()
    return others, decoder[others, feature] - features[matched[others], feature]
