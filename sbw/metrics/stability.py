"""Whether SAEs that differ only by their seed have learned the same latents.

Shapes: h latents, d width of the activations.
"""

from jaxtyping import Float
from torch import Tensor

from sbw.metrics.geometry import cosine_similarities, match_features


def decoder_agreement(a: Float[Tensor, "h d"], b: Float[Tensor, "h d"]) -> float:
    """MCC of two decoders: the mean |cosine| of their rows, matched one to one so that it is greatest.

    1 for the same latents in any order and sign.
    """
    cosines = cosine_similarities(a, b)
    return cosines.gather(1, match_features(cosines)[:, None]).abs().double().mean().item()
