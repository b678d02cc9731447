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
from jaxtyping import Float, Int
from sae_lens import SAE
from torch import Tensor

from sbw.files import column
from sbw.llm.sweep import DENSE, SweptSae
from sbw.lockstep.device import pick_device
from sbw.metrics.codes import CODE_COLUMNS, code_metrics
from sbw.metrics.geometry import null_pairwise_cosine, pairwise_cosine
from sbw.metrics.projection import decoder_projections
from sbw.metrics.stability import agreements
from sbw.metrics.streaming import StreamedProjections
from sbw.run.processes import map_processes, processes_on
from sbw.saes.disk import load_sae

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
_BATCH, _CODED = 4096, 20_000
_HISTOGRAM_OF = 1 << 23
"""Projections that a histogram is made of: those of the first tokens."""
_RANGE = 6.0
"""Of the histograms on either side of zero, in units of sigma."""


class _Pass(NamedTuple):
    groups: list[StreamedProjections]
    fires: Int[Tensor, " h"]
    error: float
    square: float
    mean: Float[Tensor, " d"]


def measure(
    swept: Sequence[SweptSae], folder: Path, x: Float[Tensor, "n d"], groups: int, bins: int
) -> dict[str, pd.DataFrame]:
    """The tables of `SCHEMAS` of the SAEs of one k; `saes` is without `OF_EVALS`, which need the model.

    On the CPU one process per processor measures them, each with one thread.

    Args:
        swept: the SAEs.
        folder: of the sweep.
        x: held-out activations.
        groups: of consecutive tokens, whose s_n^dec are compared.
        bins: of the histograms, which reach to 6 sigma on either side; sigma is √(E|x|² / d).
    """
    one = partial(_measure_one, folder=folder, x=x, groups=groups, bins=bins)
    each = map_processes(one, swept, processes_on(pick_device("auto")), label="measure", unit="SAE")
    tables = {name: pd.concat([of_one[name] for of_one in each], ignore_index=True) for name in each[0]}
    return tables | {"stability": agreements_of_seeds(swept, folder)}


def agreements_of_seeds(swept: Sequence[SweptSae], folder: Path) -> pd.DataFrame:
    """The rows of `LLM_STABILITY` of the SAEs of one k; none for SAEs of more latents than can be matched."""
    pairs = agreements({sae.seed: load_sae(folder / sae.name).W_dec for sae in swept})
    return pd.DataFrame([(swept[0].k, *pair) for pair in pairs], columns=LLM_STABILITY.names)


def with_evals(saes: pd.DataFrame, evals: pd.DataFrame) -> pd.DataFrame:
    """The rows of `LLM_SAES`: those of `measure`, with columns of the evals of the same SAEs in the same order."""
    return saes.assign(**{name: evals[name].to_numpy() for name in OF_EVALS})[LLM_SAES.names]


@torch.no_grad()
def _measure_one(
    swept: SweptSae, folder: Path, x: Float[Tensor, "n d"], groups: int, bins: int
) -> dict[str, pd.DataFrame]:
    sae = load_sae(folder / swept.name).to(pick_device("auto"))
    keys = {"k": swept.k, "seed": swept.seed}
    found = _run(sae, x, groups)
    latents = pd.DataFrame(
        {**keys, "latent": range(sae.cfg.d_sae), "density": (found.fires.double() / len(x)).cpu(),
         "encoder_bias": sae.b_enc.double().cpu(), "threshold": sae.threshold.double().cpu()}
    )  # fmt: skip
    sigma = math.sqrt(found.square / len(x) / sae.cfg.d_in)
    return {
        "saes": pd.DataFrame([keys | _sae_row(sae, found, latents, x)]),
        "projections": _projection_rows(found.groups).assign(**keys)[LLM_PROJECTIONS.names],
        "histograms": _histogram_rows(sae, x, sigma, bins).assign(**keys)[LLM_HISTOGRAMS.names],
        "latents": latents,
    }


def _run(sae: SAE[Any], x: Float[Tensor, "n d"], groups: int) -> _Pass:
    device = sae.W_dec.device
    streams = [StreamedProjections(sae.W_dec, sae.b_dec) for _ in range(groups)]
    fires = torch.zeros(sae.cfg.d_sae, dtype=torch.long, device=device)
    total = torch.zeros(sae.cfg.d_in, dtype=torch.double, device=device)
    error = square = 0.0
    for stream, rows in zip(streams, x.tensor_split(groups), strict=True):
        for some in torch.split(rows, _BATCH):
            batch = some.float().to(device)
            stream.add(batch)
            acts = sae.encode(batch)
            fires += (acts > 0).sum(dim=0)
            error += (batch - sae.decode(acts)).double().square().sum().item()
            square += batch.double().square().sum().item()
            total += batch.double().sum(dim=0)
    return _Pass(streams, fires, error, square, total / len(x))


def _sae_row(sae: SAE[Any], found: _Pass, latents: pd.DataFrame, x: Float[Tensor, "n d"]) -> dict[str, Any]:
    tokens, first = len(x), x[:_CODED].float().to(sae.W_dec.device)
    c_dec, power, mse = pairwise_cosine(sae.W_dec), found.square / tokens, found.error / tokens
    firing = sae.W_dec[found.fires > 0]
    return {
        "d_in": sae.cfg.d_in,
        "d_sae": sae.cfg.d_sae,
        "l0": found.fires.sum().item() / tokens,
        "mse": mse,
        "variance_explained_about_zero": 1 - mse / power,
        "variance_explained_about_mean": 1 - mse / (power - found.mean.square().sum().item()),
        "c_dec": c_dec,
        "c_dec_over_null": c_dec / null_pairwise_cosine(sae.cfg.d_in),
        "c_dec_of_firing": pairwise_cosine(firing) if len(firing) > 1 else math.nan,
        **code_metrics(sae.encode(first), first, sae.W_dec, sae.b_dec),
        "dead_latents": int((latents["density"] == 0).sum()),
        "dense_latents": int((latents["density"] > DENSE).sum()),
        "mean_encoder_bias": latents["encoder_bias"].mean(),
        "mean_threshold": latents["threshold"].mean(),
    }


def _projection_rows(groups: list[StreamedProjections]) -> pd.DataFrame:
    together = StreamedProjections(groups[0].W_dec, groups[0].b_dec)
    for group in groups:
        together.counts += group.counts
        together.rows += group.rows
    s_n = together.s_n().double()
    error = torch.stack([group.s_n() for group in groups]).double().std(dim=0) / math.sqrt(len(groups))
    return pd.DataFrame({"n": range(1, len(s_n) + 1), "s_n": s_n, "s_n_error": error})


def _histogram_rows(sae: SAE[Any], x: Float[Tensor, "n d"], sigma: float, bins: int) -> pd.DataFrame:
    some = x[: max(1, _HISTOGRAM_OF // sae.cfg.d_sae)].float().to(sae.W_dec.device)
    projections = decoder_projections(some, sae.W_dec, sae.b_dec).cpu().numpy() / sigma
    counts, edges = np.histogram(projections, bins=bins, range=(-_RANGE, _RANGE))
    return pd.DataFrame({"from": edges[:-1], "to": edges[1:], "density": counts / projections.size / np.diff(edges)})
