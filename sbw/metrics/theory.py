"""The paper's two closed-form arguments: why a low L0 rewards mixing, and what mixing does to projections."""

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


def _gaussian(x: NDArray[np.floating], mean: float, std: float) -> NDArray[np.floating]:
    return np.exp(-((x - mean) ** 2) / (2 * std**2)) / (std * math.sqrt(2 * math.pi))
