"""What an SAE's codes say of its L0, as columns of a table.

Shapes: b samples, h latents, d width of the activations.
"""

import pyarrow as pa
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from sbw.files import column
from sbw.metrics.activity import activity
from sbw.metrics.coherence import co_firing, coherence, coherence_null, latent_coherence
from sbw.metrics.pursuit import pursue

CODE_COLUMNS = [
    column("coherence", pa.float64(), "sum of z_i z_j cos(u_i, u_j) over that of z_i^2: above 0, L0 is too low"),
    column("coherence_pursuit", pa.float64(), "the same, of codes by matching pursuit in the decoder"),
    column("coherence_null", pa.float64(), "standard deviation of that, were decoder rows turned round by chance"),
    column("coherent_latents", pa.float64(), "share of the latents that fire whose own coherence is above 0"),
    column("co_firing", pa.float64(), "correlation, over pairs, of co-firing and cosine"),
    column("co_firing_pursuit", pa.float64(), "the same, of codes by matching pursuit"),
    column("weakest", pa.float64(), "5 % quantile of the active codes, over their mean"),
    column("code_spread", pa.float64(), "standard deviation of the active codes, over their mean"),
    column("pursuit_error", pa.float64(), "squared error by matching pursuit, over that by the encoder's codes"),
]
PURSUED = 4096
"""Samples that are coded by matching pursuit, which takes a pass per latent of a sample."""


@torch.no_grad()
def code_metrics(
    codes: Float[Tensor, "b h"],
    activations: Float[Tensor, "b d"],
    W_dec: Float[Tensor, "h d"],
    b_dec: Float[Tensor, " d"],
) -> dict[str, float]:
    """The values of CODE_COLUMNS for an SAE's codes on some activations.

    Those by matching pursuit are of the first PURSUED samples.
    """
    first, centred = codes[:PURSUED], activations[:PURSUED] - b_dec
    directions = normalize(W_dec, dim=1)
    pursued = pursue(centred, directions, (first > 0).sum(dim=1))
    of_latents, active = latent_coherence(codes, W_dec), activity(codes, W_dec)
    errors = [(centred - of_both).square().sum() for of_both in (pursued @ directions, first @ W_dec)]
    return {
        "coherence": coherence(codes, W_dec),
        "coherence_pursuit": coherence(pursued, directions),
        "coherence_null": coherence_null(pursued, directions),
        "coherent_latents": (of_latents[of_latents.isfinite()] > 0).double().mean().item(),
        "co_firing": co_firing(codes, W_dec),
        "co_firing_pursuit": co_firing(pursued, directions),
        "weakest": active.weakest,
        "code_spread": active.spread,
        "pursuit_error": (errors[0] / errors[1]).item(),
    }
