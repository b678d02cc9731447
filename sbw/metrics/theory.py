"""The paper's two closed-form arguments: why a low L0 rewards mixing, and what mixing does to projections.

And a third, not the paper's: what mixed and what surplus latents do to coherence.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Mixture(NamedTuple):
    """A density of decoder projections: latents that do not fire, around 0, and latents that do, further out."""

    silent_std: float
    """Spread of the projections of latents that do not fire; their weight is 2."""
    active_std: float
    """Spread of those that do, around `ACTIVE_MEAN`; their weight is 1."""

    def density(self, x: NDArray[np.floating]) -> NDArray[np.floating]:
        """The unnormalised density at x."""
        return 2 * _gaussian(x, 0.0, self.silent_std) + _gaussian(x, ACTIVE_MEAN, self.active_std)


ACTIVE_MEAN = 15.0
DISENTANGLED = Mixture(silent_std=1.0, active_std=5.0)
"""The idealised SAE whose latents are the true features (the paper's intuition figure)."""
MIXED = Mixture(silent_std=2.0, active_std=7.0)
"""The idealised SAE that mixes correlated features: both parts are wider."""

PAPER_FIRST, PAPER_BOTH, PAPER_ALPHA = 0.4, 0.4, 0.6
"""Probabilities and share for which `top1_loss` gives the paper's losses: 0.4 for clean latents, 0.154 for mixed ones.
Inferred from these losses: in steps of 0.05, no other values give both."""


def top1_loss(alpha: float, first: float, both: float) -> float:
    """Expected squared error of an SAE whose L0 is 1 on two features that sometimes fire together.

    The features f₁ and f₂ are orthonormal and have activation 1 when they fire. The SAE is tied, has unit-norm latents
    ℓ₁ ∝ α f₁ + (1 − α) f₂ and ℓ₂ = f₂, and keeps the greater of the two per sample. Its loss is

        [P₁ (1 − α)² + P₁₂ (1 − 2α)²] / [α² + (1 − α)²]

    whatever the probability of f₂ alone, which ℓ₂ reconstructs. An SAE whose latents both mix has the same loss, with
    P₁ the probability of either feature alone. The slope at α = 1 is 2 P₁₂: where the features fire together, clean
    latents are no minimum (the two-feature argument of arXiv 2508.16560).

    Args:
        alpha: share of f₁ in its latent, 1/2 <= alpha <= 1; at 1 the latents are the features.
        first: P₁, the probability that f₁ fires alone.
        both: P₁₂, the probability that both fire.
    """
    return (first * (1 - alpha) ** 2 + both * (1 - 2 * alpha) ** 2) / (alpha**2 + (1 - alpha) ** 2)


def best_alpha(first: float, both: float) -> float:
    """The share α at which `top1_loss` is least: [P₁ − 2 P₁₂ + √(P₁² + 4 P₁₂²)] / (2 P₁), or 1/2 where P₁ = 0."""
    return (first - 2 * both + math.hypot(first, 2 * both)) / (2 * first) if first else 0.5


def mixed_coherence(alpha: float, first: float, second: float, both: float) -> float:
    """Coherence κ of two latents on the two features of `top1_loss`, each active where its feature is.

    The latents are again ℓ₁ ∝ α f₁ + (1 − α) f₂ and ℓ₂ = f₂. Their codes are the projections of the sample on them, and
    cos(ℓ₁, ℓ₂) = (1 − α) / n with n² = α² + (1 − α)², so that

        κ = 2 P₁₂ (1 − α) / [P₁ α² + P₂ n² + P₁₂ (1 + n²)]

    It is 0 for clean latents (α = 1) however the features correlate, and has the sign of 1 − α: above 0 where ℓ₁ leans
    towards f₂, as it does if they correlate positively, below 0 where it leans away (α > 1), as it does if negatively.
    In the latter case the features rarely fire together, and κ is small with P₁₂.

    Args:
        alpha: share of f₁ in its latent, above 0.
        first: P₁, the probability that f₁ fires alone.
        second: P₂, that f₂ does; P₁, P₂ and P₁₂ are not all 0.
        both: P₁₂, that both fire.
    """
    squared = alpha**2 + (1 - alpha) ** 2
    return 2 * both * (1 - alpha) / (first * alpha**2 + second * squared + both * (1 + squared))


def cancelling_coherence(first: float, second: float, both: float) -> float:
    """Coherence κ of three latents for the two features of `top1_loss`, that reconstruct every sample.

    The latents are f₂, (f₁ + f₂) / √2 and −f₂. The second alone, with √2, gives f₁ + f₂; where f₁ fires alone the third
    takes f₂ away again, with 1. In all, E‖x‖² = P₁ + P₂ + 2 P₁₂ and E Σᵢ zᵢ² = 3 P₁ + P₂ + 2 P₁₂, so that

        κ = −2 P₁ / (3 P₁ + P₂ + 2 P₁₂)

    below 0 wherever latents cancel. The arguments are those of `mixed_coherence`.
    """
    return -2 * first / (3 * first + second + 2 * both)


def _gaussian(x: NDArray[np.floating], mean: float, std: float) -> NDArray[np.floating]:
    return np.exp(-((x - mean) ** 2) / (2 * std**2)) / (std * math.sqrt(2 * math.pi))
