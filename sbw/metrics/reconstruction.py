"""Errors of an SAE's reconstruction.

Shapes: b samples, d width of the activations.
"""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class Reconstruction(NamedTuple):
    """Errors of a reconstruction."""

    mse: float
    """E‖x − x̂‖²: squared error summed over the width, mean over samples."""
    variance_explained_about_zero: float
    """1 − E‖x − x̂‖² / E‖x‖², as in the paper."""
    variance_explained_about_mean: float
    """1 − E‖x − x̂‖² / E‖x − E x‖², as in SAELens."""


def reconstruction_errors(x: Float[Tensor, "b d"], x_hat: Float[Tensor, "b d"]) -> Reconstruction:
    """Errors of the reconstruction `x_hat` of `x`, summed in double precision."""
    x, x_hat = x.double(), x_hat.double()
    error = _mean_square(x - x_hat)
    return Reconstruction(error, 1 - error / _mean_square(x), 1 - error / _mean_square(x - x.mean(dim=0)))


def _mean_square(rows: Float[Tensor, "b d"]) -> float:
    return rows.square().sum(dim=1).mean().item()
