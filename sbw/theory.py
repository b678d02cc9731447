"""The paper's two closed-form arguments: why a too small L0 rewards mixing, and what mixing does to projections."""

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


def _gaussian(x: NDArray[np.floating], mean: float, std: float) -> NDArray[np.floating]:
    return np.exp(-((x - mean) ** 2) / (2 * std**2)) / (std * math.sqrt(2 * math.pi))
