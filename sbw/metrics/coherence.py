"""Coherence κ: whether latents that are active together point in like directions. It changes its sign at the right L0.

Shapes: b samples, h latents, d width of the activations. d_i is decoder row i, u_i = d_i / ‖d_i‖, and z_i = ‖d_i‖ ·
code_i, in the units of the activations.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize


def coherence(codes: Float[Tensor, "b h"], W_dec: Float[Tensor, "h d"]) -> float:
    """κ = E‖Σ_i z_i u_i‖² / E Σ_i z_i² − 1 = E Σ_{i≠j} z_i z_j cos(u_i, u_j) / E Σ_i z_i², without a unit.

    Directions of right features are as likely to lie with as against each other whatever is active together: κ ≈ 0.
    With L0 too low, latents that are active together hold parts of the same features: κ > 0. With L0 too high, surplus
    latents cancel each other: κ < 0. For two latents at an angle φ, always active with the same z, κ = cos φ. NaN where
    none is active.
    """
    squares = codes.square().double().sum(dim=0) @ W_dec.square().double().sum(dim=1)
    together = (codes @ W_dec).square().double().sum()
    return (together / squares - 1).item()


def coherence_null(codes: Float[Tensor, "b h"], W_dec: Float[Tensor, "h d"]) -> float:
    """The standard deviation of κ if each u_i is turned round by chance: √(2 Σ_{i≠j} (E z_i z_j cos)²) / E Σ_i z_i².

    NaN where none is active.
    """
    moments = _cross_moments(codes, W_dec)
    own = moments.diagonal().clone()
    moments.fill_diagonal_(0)
    return (moments.square().sum().mul(2).sqrt() / own.sum()).item()


def latent_coherence(codes: Float[Tensor, "b h"], W_dec: Float[Tensor, "h d"]) -> Float[Tensor, " h"]:
    """κ_i = E z_i Σ_{j≠i} z_j cos(u_i, u_j) / E z_i², whose mean weighted by E z_i² is κ; NaN where never active."""
    moments = _cross_moments(codes, W_dec)
    return moments.sum(dim=1) / moments.diagonal() - 1


def co_firing(codes: Float[Tensor, "b h"], W_dec: Float[Tensor, "h d"]) -> float:
    """Correlation, over pairs of latents, of how their firing correlates and of the cosine of their directions.

    Of those that fire on some samples and not on all; 0 for fewer than three.
    """
    fires = (codes > 0).double()
    rate = fires.mean(dim=0)
    some = (rate > 0) & (rate < 1)
    if some.sum() < 3:
        return 0.0
    directions = normalize(W_dec[some].double(), dim=1)
    i, j = torch.triu_indices(len(directions), len(directions), offset=1)
    pairs = torch.stack([torch.corrcoef(fires[:, some].T)[i, j], (directions @ directions.T)[i, j]])
    return torch.corrcoef(pairs)[0, 1].item()


def _cross_moments(codes: Float[Tensor, "b h"], W_dec: Float[Tensor, "h d"]) -> Float[Tensor, "h h"]:
    """E z_i z_j cos(u_i, u_j)."""
    z, directions = (codes * W_dec.norm(dim=1)).double(), normalize(W_dec.double(), dim=1)
    return (z.T @ z / len(z)) * (directions @ directions.T)
