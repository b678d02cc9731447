"""How strongly latents are active: with L0 too high, many are active weakly.

Shapes: b samples, h latents, d width of the activations.
"""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

WEAK = 0.05
"""Share of the active codes that count as weak."""


class Activity(NamedTuple):
    """The distribution of active codes, in units of the activations: z_i = ‖d_i‖ · code_i > 0."""

    weakest: float
    """Their WEAK quantile over their mean; NaN where none is active."""
    spread: float
    """Their standard deviation over their mean."""


def activity(codes: Float[Tensor, "b h"], W_dec: Float[Tensor, "h d"]) -> Activity:
    """How the active codes of all latents are distributed.

    Near the right L0 the threshold lies in the gap between latents that are active and those that are not; above it
    what is left of the latents' budget goes to weak ones, and the weakest fall towards 0.
    """
    z = (codes * W_dec.norm(dim=1)).double()
    active = z[z > 0]
    if not len(active):
        return Activity(float("nan"), float("nan"))
    place = max(1, round(WEAK * len(active)))
    mean = active.mean()
    return Activity((active.kthvalue(place).values / mean).item(), (active.std(correction=0) / mean).item())
