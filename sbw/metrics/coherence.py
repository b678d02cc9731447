"""Coherence κ: whether latents that are active together point in like directions. It changes its sign at the right L0.

Shapes: b samples, h latents, d width of the activations.
"""

from jaxtyping import Float
from torch import Tensor


def coherence(codes: Float[Tensor, "b h"], W_dec: Float[Tensor, "h d"]) -> float:
    """κ = E‖Σ_i z_i u_i‖² / E Σ_i z_i² − 1 = E Σ_{i≠j} z_i z_j cos(u_i, u_j) / E Σ_i z_i², without a unit.

    d_i is decoder row i, u_i = d_i / ‖d_i‖, and z_i = ‖d_i‖ · code_i, in the units of the activations. Directions of
    right features are as likely to lie with as against each other whatever is active together: κ ≈ 0. With L0 too low,
    latents that are active together hold parts of the same features: κ > 0. With L0 too high, surplus latents cancel
    each other: κ < 0. For two latents at an angle φ, always active with the same z, κ = cos φ. NaN where none is
    active.
    """
    squares = codes.square().double().sum(dim=0) @ W_dec.square().double().sum(dim=1)
    together = (codes @ W_dec).square().double().sum()
    return (together / squares - 1).item()
