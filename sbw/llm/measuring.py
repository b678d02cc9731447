"""Metrics of the SAEs of a sweep on a language model, on activations of held-out texts.

Shapes: n tokens, d width of the activations, h latents.
"""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from jaxtyping import Float
from torch import Tensor

from sbw.files import column
from sbw.llm.sweep import SweptSae
from sbw.metrics.codes import CODE_COLUMNS
from sbw.metrics.geometry import null_pairwise_cosine, pairwise_cosine
from sbw.metrics.projection import decoder_projections
from sbw.metrics.streaming import StreamedProjections
from sbw.pretrained.agreement import agreements
from sbw.pretrained.encoders import Encoder, encoder_of
from sbw.pretrained.formats import read_files
from sbw.pretrained.measured import DENSE, Measured, measure_sae
from sbw.run.processes import map_processes, processes_on

OF_EVALS = {
    "ce_loss_score": "share of the loss added by zeros that the SAE recovers",
    "kl_div_score": "the same, for the divergence from the unchanged model's predictions",
    "ce_loss_with_sae": "cross-entropy of the next token with the SAE in the model, in nats",
}
"""Columns of `LLM_SAES` that are from `sbw.llm.evals`."""

_KEYS = [
    column("k", pa.float64(), "active latents per token that the SAE was trained for"),
    column("seed", pa.int64(), "seed of its initial weights"),
]
LLM_SAES = pa.schema(
    [
        *_KEYS,
        column("d_in", pa.int64(), "width of the activations"),
        column("d_sae", pa.int64(), "number of latents"),
        column("l0", pa.float64(), "active latents per token, measured"),
        column("mse", pa.float64(), "squared error summed over the width, mean over tokens"),
        column("variance_explained_about_zero", pa.float64(), "1 - mse / E|x|^2"),
        column("variance_explained_about_mean", pa.float64(), "1 - mse / E|x - E x|^2"),
        column("c_dec", pa.float64(), "mean absolute cosine similarity of two decoder rows"),
        column("c_dec_over_null", pa.float64(), "c_dec over that of random directions, sqrt(2 / (pi d_in))"),
        column(
            "c_dec_of_firing", pa.float64(), "c_dec of the latents that fire on some token; null where fewer than two"
        ),
        column("rows", pa.int64(), "tokens that it was measured on"),
        *CODE_COLUMNS,
        column("dead_latents", pa.int64(), "latents that fire on no token"),
        column("dense_latents", pa.int64(), f"latents that fire on more than {DENSE:g} of the tokens"),
        column("mean_encoder_bias", pa.float64(), "mean of b_enc, in the units of the activations of latents"),
        column("mean_threshold", pa.float64(), "mean of the latents' thresholds, in the same units"),
        *(column(name, pa.float64(), meaning) for name, meaning in OF_EVALS.items()),
    ]
)
LLM_PROJECTIONS = pa.schema(
    [
        *_KEYS,
        column("n", pa.int64(), "latents per token"),
        column("s_n", pa.float64(), "nth decoder projection, in the units of the activations"),
        column("s_n_error", pa.float64(), "its standard error over groups of tokens"),
    ]
)
LLM_HISTOGRAMS = pa.schema(
    [
        *_KEYS,
        column("from", pa.float64(), "lower edge of the bin of decoder projections, in units of sigma"),
        column("to", pa.float64(), "upper edge of the bin"),
        column("density", pa.float64(), "share of the projections in the bin, over its width"),
    ]
)
LLM_LATENTS = pa.schema(
    [
        *_KEYS,
        column("latent", pa.int64(), "index of the latent"),
        column("density", pa.float64(), "share of the tokens on which it fires"),
        column("coherence", pa.float64(), "its own coherence kappa_i; null if it never fires"),
        column("encoder_bias", pa.float64(), "b_enc"),
        column("threshold", pa.float64(), "pre-activation above which it fires"),
    ]
)
LLM_STABILITY = pa.schema(
    [
        _KEYS[0],
        column("seed_a", pa.int64(), "seed of an SAE"),
        column("seed_b", pa.int64(), "seed of another of the same k"),
        column("agreement", pa.float64(), "mean absolute cosine of their decoder rows, matched one to one"),
    ]
)
SCHEMAS = {
    "saes": LLM_SAES,
    "projections": LLM_PROJECTIONS,
    "histograms": LLM_HISTOGRAMS,
    "latents": LLM_LATENTS,
    "stability": LLM_STABILITY,
}
_BATCH = 4096
_HISTOGRAM_OF = 1 << 23
"""Projections that a histogram is made of: those of the first tokens."""
_RANGE = 6.0
"""Of the histograms on either side of zero, in units of sigma."""


def measure(
    swept: Sequence[SweptSae], folder: Path, x: Float[Tensor, "n d"], groups: int, bins: int, device: str = "cpu"
) -> dict[str, pd.DataFrame]:
    """The tables of `SCHEMAS` of the SAEs of one cell; `saes` is without `OF_EVALS`, which need the model.

    On the CPU one process per processor measures them, each with one thread.

    Args:
        swept: the SAEs.
        folder: of the cell.
        x: held-out activations.
        groups: of consecutive tokens, whose s_n^dec are compared.
        bins: of the histograms, which reach to 6 sigma on either side; sigma is √(E|x|² / d).
        device: where to measure.
    """
    one = partial(_measure_one, folder=folder, inputs=_inputs(x), groups=groups, bins=bins, device=device)
    each = map_processes(one, swept, processes_on(device), label="measure", unit="SAE")
    tables = {name: pd.concat([of_one[name] for of_one in each], ignore_index=True) for name in each[0]}
    return tables | {"stability": agreements_of_seeds(swept, folder)}


def agreements_of_seeds(swept: Sequence[SweptSae], folder: Path) -> pd.DataFrame:
    """The rows of `LLM_STABILITY` of the SAEs of one cell: each k's seeds."""
    rows: list[tuple[Any, ...]] = []
    for k in sorted({sae.k for sae in swept}):
        decoders = {sae.seed: _encoder(sae, folder).W_dec for sae in swept if sae.k == k}
        rows += [(k, *pair) for pair in agreements(decoders)] if len(decoders) > 1 else []
    return pd.DataFrame(rows, columns=LLM_STABILITY.names)


def with_evals(saes: pd.DataFrame, evals: pd.DataFrame) -> pd.DataFrame:
    """The rows of `LLM_SAES`: those of `measure`, with columns of the evals of the same SAEs in the same order."""
    return saes.assign(**{name: evals[name].to_numpy() for name in OF_EVALS})[LLM_SAES.names]


class _Inputs(NamedTuple):
    """The held-out activations, and what is the same for all SAEs."""

    x: Float[Tensor, "n d"]
    square: float
    """E|x|²."""
    variance: float
    """E|x − E x|²."""

    @property
    def sigma(self) -> float:
        """√(E|x|² / d)."""
        return math.sqrt(self.square / self.x.shape[1])


def _inputs(x: Float[Tensor, "n d"]) -> _Inputs:
    batches = [batch.double() for batch in torch.split(x, _BATCH)]
    square = sum(batch.square().sum().item() for batch in batches) / len(x)
    mean = torch.stack([batch.sum(dim=0) for batch in batches]).sum(dim=0) / len(x)
    return _Inputs(x, square, square - mean.square().sum().item())


def _encoder(swept: SweptSae, folder: Path) -> Encoder:
    return encoder_of(read_files(folder / swept.name / "sae_weights.safetensors"))


@torch.no_grad()
def _measure_one(
    swept: SweptSae, folder: Path, inputs: _Inputs, groups: int, bins: int, device: str
) -> dict[str, pd.DataFrame]:
    encoder, x, keys = _encoder(swept, folder).to(device), inputs.x, {"k": swept.k, "seed": swept.seed}
    found = measure_sae(encoder, (batch.float().to(device) for batch in torch.split(x, _BATCH)))
    latents = pd.DataFrame(
        {**keys, "latent": range(len(encoder.W_dec)), "density": found.fires.cpu(), "coherence": found.coherence.cpu(),
         "encoder_bias": encoder.b_enc.double().cpu(), "threshold": _thresholds(encoder).double().cpu()}
    )  # fmt: skip
    return {
        "saes": pd.DataFrame([keys | _sae_row(encoder, found, latents, inputs.variance)]),
        "projections": _projection_rows(encoder, x, groups).assign(**keys)[LLM_PROJECTIONS.names],
        "histograms": _histogram_rows(encoder, x, inputs.sigma, bins).assign(**keys)[LLM_HISTOGRAMS.names],
        "latents": latents,
    }


def _thresholds(encoder: Encoder) -> Float[Tensor, " h"]:
    return torch.zeros_like(encoder.b_enc) if encoder.threshold is None else encoder.threshold


def _sae_row(encoder: Encoder, found: Measured, latents: pd.DataFrame, variance: float) -> dict[str, Any]:
    W_dec, c_dec = encoder.W_dec, pairwise_cosine(encoder.W_dec)
    firing = W_dec[found.fires > 0]
    return {
        **found.columns,
        "variance_explained_about_mean": 1 - found.columns["mse"] / variance,
        "c_dec": c_dec,
        "c_dec_over_null": c_dec / null_pairwise_cosine(W_dec.shape[1]),
        "c_dec_of_firing": pairwise_cosine(firing) if len(firing) > 1 else math.nan,
        "mean_encoder_bias": latents["encoder_bias"].mean(),
        "mean_threshold": latents["threshold"].mean(),
    }


def _projection_rows(encoder: Encoder, x: Float[Tensor, "n d"], groups: int) -> pd.DataFrame:
    together, each = StreamedProjections(encoder.W_dec, encoder.b_dec), []
    for rows in x.tensor_split(groups):
        stream = StreamedProjections(encoder.W_dec, encoder.b_dec)
        for batch in torch.split(rows, _BATCH):
            stream.add(batch.to(encoder.W_dec.device))
        together.counts += stream.counts
        together.rows += stream.rows
        each.append(stream.s_n())
    s_n, error = together.s_n().double(), torch.stack(each).double().std(dim=0) / math.sqrt(groups)
    return pd.DataFrame({"n": range(1, len(s_n) + 1), "s_n": s_n, "s_n_error": error})


def _histogram_rows(encoder: Encoder, x: Float[Tensor, "n d"], sigma: float, bins: int) -> pd.DataFrame:
    some = x[: max(1, _HISTOGRAM_OF // len(encoder.W_dec))].float().to(encoder.W_dec.device)
    projections = decoder_projections(some, encoder.W_dec, encoder.b_dec).cpu().numpy() / sigma
    counts, edges = np.histogram(projections, bins=bins, range=(-_RANGE, _RANGE))
    return pd.DataFrame({"from": edges[:-1], "to": edges[1:], "density": counts / projections.size / np.diff(edges)})
