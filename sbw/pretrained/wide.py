"""Evidence by matching pursuit for SAEs of so many latents that nothing can have a number per pair of them.

Shapes: n samples, h latents, d width of the activations, m latents of a sample.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.optimize import nnls
from scipy.sparse import coo_array, csr_array
from torch import Tensor
from torch.nn.functional import normalize

from sbw.metrics.coherence import co_firing

WORK = 2e12
"""Multiplications and additions that matching pursuit may take, which bounds its samples."""
_AT_ONCE = 1 << 22  # pairs of latents
PAIRED = 1024
"""Latents, those that fire most, of which `co_firing_pursuit` is."""


class _Coded(NamedTuple):
    """A sample by matching pursuit."""

    latents: Int[Tensor, " m"]
    z: Float[Tensor, " m"]


@torch.no_grad()
def pursuit_metrics(
    centred: Float[Tensor, "n d"], counts: Int[Tensor, " n"], error: float, W_dec: Float[Tensor, "h d"]
) -> dict[str, float]:
    """The columns of `sbw.metrics.codes.code_metrics` by matching pursuit; `co_firing_pursuit` is of PAIRED latents.

    Args:
        centred: x − b_dec.
        counts: active latents of each sample by the encoder, of which it takes as many.
        error: squared error by the encoder's codes, summed over samples.
        W_dec: decoder rows.
    """
    directions = normalize(W_dec, dim=1)
    taken = _taken(centred, directions, counts)
    coded = [_coded(x, directions, row) for x, row in zip(centred, taken, strict=True)]
    reconstructed = torch.stack([each.z @ directions[each.latents] for each in coded])
    own = sum(each.z.double().square().sum().item() for each in coded)
    together, left = (of.double().square().sum().item() for of in (reconstructed, centred - reconstructed))
    if not own:
        return dict.fromkeys(("coherence_pursuit", "coherence_null", "co_firing_pursuit", "pursuit_error"), np.nan)
    return {
        "coherence_pursuit": together / own - 1,
        "coherence_null": _null(coded, directions) / own,
        "co_firing_pursuit": _co_firing(coded, directions),
        "pursuit_error": left / error,
    }


def samples_within(work: float, h: int, d: int, l0: float) -> int:
    """The samples that matching pursuit codes with so many multiplications and additions, at least one."""
    return max(1, int(work / (2 * h * d * max(l0, 1))))


def _taken(centred: Float[Tensor, "n d"], directions: Float[Tensor, "h d"], counts: Tensor) -> Bool[Tensor, "n h"]:
    """The latents that matching pursuit takes, as `sbw.metrics.pursuit.pursue` does."""
    left, taken = centred.clone(), torch.zeros(len(centred), len(directions), dtype=torch.bool)
    rows = torch.arange(len(centred))
    for step in range(int(counts.max())):
        rows = rows[counts[rows] > step]
        most, latent = (left[rows] @ directions.T).masked_fill_(taken[rows], -1.0).max(dim=1)
        toward = most > 0  # else it is done
        rows, most, latent = rows[toward], most[toward], latent[toward]
        if not len(rows):
            break
        taken[rows, latent] = True
        left[rows] -= most[:, None] * directions[latent]
    return taken


def _coded(x: Float[Tensor, " d"], directions: Float[Tensor, "h d"], taken: Bool[Tensor, " h"]) -> _Coded:
    latents = torch.nonzero(taken).squeeze(1)
    own = directions[latents]
    z = nnls(own.T.double().numpy(), x.double().numpy())[0] if len(latents) else np.zeros(0)
    return _Coded(latents, torch.from_numpy(z).float())


def _null(coded: list[_Coded], directions: Float[Tensor, "h d"]) -> float:
    """√(2 Σ_{i≠j} (Σ z_i z_j cos)²), as in `sbw.metrics.coherence.coherence_null`, times the samples."""
    moments = csr_array((len(directions), len(directions)))
    most = max(len(each.latents) for each in coded)
    step = max(1, _AT_ONCE // max(1, most) ** 2)
    for start in range(0, len(coded), step):
        moments += _moments(coded[start : start + step], directions)
    return float(np.sqrt(2 * np.square(moments.data).sum()))


def _moments(coded: Sequence[_Coded], directions: Float[Tensor, "h d"]) -> csr_array:
    """Σ z_i z_j cos of the pairs that are active together."""
    rows, columns, values = [], [], []
    for latents, z in coded:
        i, j = torch.cartesian_prod(latents, latents).T if len(latents) else latents.new_zeros(2, 0)
        vectors = z[:, None] * directions[latents]
        rows.append(i)
        columns.append(j)
        values.append((vectors @ vectors.T).fill_diagonal_(0).flatten().double())
    where = (torch.cat(rows).numpy(), torch.cat(columns).numpy())
    return coo_array((torch.cat(values).numpy(), where), shape=(len(directions),) * 2).tocsr()


def _co_firing(coded: list[_Coded], directions: Float[Tensor, "h d"]) -> float:
    fired = torch.cat([each.latents[each.z > 0] for each in coded])
    most = torch.bincount(fired, minlength=len(directions)).argsort(descending=True, stable=True)[:PAIRED]
    codes = torch.zeros(len(coded), len(directions))
    for row, each in zip(codes, coded, strict=True):
        row[each.latents] = each.z
    return co_firing(codes[:, most], directions[most])
