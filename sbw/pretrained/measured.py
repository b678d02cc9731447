"""What activations say of an SAE, in one pass that holds neither them nor their codes.

Shapes: b samples, h latents, d width of the activations. d_i is decoder row i and z_i = ‖d_i‖ · code_i.
"""

from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from sbw.metrics.activity import activity
from sbw.metrics.codes import PURSUED, code_metrics
from sbw.metrics.coherence import co_firing
from sbw.metrics.streaming import StreamedProjections
from sbw.pretrained.encoders import Encoder
from sbw.pretrained.wide import WORK, pursuit_metrics, samples_within
from sbw.run.errors import UserError

WIDE = 4096
"""Latents above which nothing is made that has a number per pair of latents."""
PAIRED = 1024
"""Latents, spread evenly, that stand for all in `co_firing` above WIDE."""
DENSE = 0.1
"""Share of the samples from which on a latent that fires on more counts as dense."""
KEPT = 1 << 25
"""Codes that are kept of the first samples, at most."""
_AT_ONCE = 1 << 23  # codes


class Measured(NamedTuple):
    """An SAE, measured on activations."""

    columns: dict[str, float]
    """By the names of `sbw.metrics.tables.SAES`, and `rows`, `dense_latents`."""
    s_n: Float[Tensor, " h-1"]
    """The nth decoder projections, to the error of `StreamedProjections`; of the first `rows_for_codes` samples."""
    fires: Float[Tensor, " h"]
    """Share of the samples on which each latent fires."""
    coherence: Float[Tensor, " h"]
    """κ_i of each latent; NaN where it never fires."""


@torch.no_grad()
def measure_sae(encoder: Encoder, batches: Iterable[Float[Tensor, "b d"]], rows_for_codes: int = 20_000) -> Measured:
    """Measure an SAE on all samples of some batches, in the units of its input.

    Of all samples are `l0`, `dead_latents`, `dense_latents`, `mse`, `variance_explained_about_zero`, `coherence` and
    `coherent_latents`. The others, of `code_metrics`, are of the first `rows_for_codes` samples, or of as many as have
    KEPT codes. An SAE of more than WIDE latents has `co_firing` of PAIRED of them; `weakest` and `code_spread` of all,
    of as many samples as have KEPT active codes; and `pursuit_metrics` of as many as WORK allows, at most PURSUED.

    Raises:
        UserError: there is no sample, or the samples are not as wide as the SAE's input.
    """
    h, d = encoder.W_dec.shape
    totals, first, prepared = _Totals(encoder), _First(encoder.to("cpu"), rows_for_codes), None
    for batch in batches:
        if batch.shape[1] != d:
            raise UserError(f"the activations have a width of {batch.shape[1]}, but the SAE reads {d}")
        prepared = prepared or encoder.prepared(batch)
        for x in torch.split(prepared(batch), max(1, _AT_ONCE // h)):
            codes = encoder.encode(x)
            totals.add(x, codes)
            if first.left > 0:
                first.add(x.cpu(), codes.cpu())
    if not totals.rows:
        raise UserError("there are no activations to measure an SAE on: they have no rows")
    columns = {"d_in": d, "d_sae": h, **first.columns(), **totals.columns()}
    return Measured(columns, first.projections.s_n(), totals.fired.double() / totals.rows, totals.coherence())


class _Totals:
    """Sums over all samples."""

    def __init__(self, encoder: Encoder):
        self.encoder = encoder
        self.rows = 0
        zeros = partial(torch.zeros, dtype=torch.double, device=encoder.W_dec.device)
        self.square, self.error = zeros(2)
        self.fired, self.own, self.together = zeros(3, len(encoder.W_dec))

    def add(self, x: Float[Tensor, "b d"], codes: Float[Tensor, "b h"]) -> None:
        W_dec, products = self.encoder.W_dec, codes.to_sparse() if codes.shape[1] > WIDE else codes
        reconstructed = products @ W_dec
        toward = products.T @ reconstructed
        self.rows += len(x)
        self.square += x.double().square().sum()
        self.error += (x - self.encoder.b_dec - reconstructed).double().square().sum()
        self.fired += (codes > 0).sum(dim=0)
        self.own += codes.square().sum(dim=0)
        self.together += torch.linalg.vecdot(toward, W_dec)

    def coherence(self) -> Float[Tensor, " h"]:
        """The κ_i of `sbw.metrics.coherence`: Σ z_i u_i · Σ_j z_j u_j over Σ z_i², less 1."""
        return self.together / self._own() - 1

    def _own(self) -> Float[Tensor, " h"]:
        return self.own * torch.linalg.vecdot(self.encoder.W_dec, self.encoder.W_dec)

    def columns(self) -> dict[str, float]:
        """The columns that are of all samples; κ is the mean of the κ_i, weighted by Σ z_i²."""
        of_latents = self.coherence()
        return {
            "rows": self.rows,
            "l0": self.fired.sum().item() / self.rows,
            "coherence": (self.together.sum() / self._own().sum() - 1).item(),
            "coherent_latents": (of_latents[of_latents.isfinite()] > 0).double().mean().item(),
            "mse": self.error.item() / self.rows,
            "variance_explained_about_zero": (1 - self.error / self.square).item(),
            "dead_latents": int((self.fired == 0).sum()),
            "dense_latents": int((self.fired > DENSE * self.rows).sum()),
        }


class _First:
    """What is kept of the first samples."""

    def __init__(self, encoder: Encoder, rows: int):
        h = len(encoder.W_dec)
        self.encoder, self.wide, self.left, self.room = encoder, h > WIDE, rows, KEPT
        self.norms, self.some = encoder.W_dec.norm(dim=1), torch.arange(PAIRED) * h // PAIRED
        self.projections = StreamedProjections(encoder.W_dec, encoder.b_dec)
        self.pursued, self.error = PURSUED, 0.0
        self.activations: list[Tensor] = []
        self.counts: list[Tensor] = []
        self.codes: list[Tensor] = []
        self.active: list[Tensor] = []

    def add(self, x: Float[Tensor, "b d"], codes: Float[Tensor, "b h"]) -> None:
        x, codes = x[: self.left], codes[: self.left]
        if not len(x):
            return
        self.left -= len(x)
        self.projections.add(x)
        if self.room <= 0:
            return
        if self.wide:
            self._keep_active(x, codes)
        else:
            self._keep(x, codes)

    def _keep(self, x: Float[Tensor, "b d"], codes: Float[Tensor, "b h"]) -> None:
        kept = codes[: max(1, self.room // codes.shape[1])]
        self.codes.append(kept.clone())
        self.room -= codes.numel()
        self.activations.append(x[: min(self._more_pursued(), len(kept))].clone())

    def _keep_active(self, x: Float[Tensor, "b d"], codes: Float[Tensor, "b h"]) -> None:
        fires = codes > 0
        if not self.codes:
            l0 = fires.sum().item() / len(x)
            self.pursued = min(PURSUED, samples_within(WORK, codes.shape[1], x.shape[1], l0))
        few = slice(self._more_pursued())
        self.activations.append(x[few].clone())
        self.counts.append(fires[few].sum(dim=1))
        reconstructed = codes[few] @ self.encoder.W_dec
        self.error += (x[few] - self.encoder.b_dec - reconstructed).square().sum().item()
        self.codes.append(codes[:, self.some])
        self.active.append((codes * self.norms)[fires])
        self.room -= len(self.active[-1])

    def _more_pursued(self) -> int:
        return self.pursued - sum(len(each) for each in self.activations)

    def columns(self) -> dict[str, float]:
        """The columns of `code_metrics`."""
        if not self.codes:
            return {}
        codes, W_dec, b_dec = torch.cat(self.codes), self.encoder.W_dec, self.encoder.b_dec
        if not self.wide:
            return code_metrics(codes, torch.cat(self.activations), W_dec, b_dec)
        active = activity(torch.cat(self.active)[:, None], torch.ones(1, 1))
        return {
            **pursuit_metrics(torch.cat(self.activations) - b_dec, torch.cat(self.counts), self.error, W_dec),
            "co_firing": co_firing(codes, W_dec[self.some]),
            "weakest": active.weakest,
            "code_spread": active.spread,
        }
