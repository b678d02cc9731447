"""A sweep of L0 around the one that a toy is known to have."""

import math
import zlib

import numpy as np
from jaxtyping import Float
from torch import Tensor

from sbw.params.training import Grid
from sbw.params.validation import LogSweep
from sbw.saes.experiments import grid
from sbw.saes.experiments.planned import PlannedSae
from sbw.synthesis.prior import Known
from sbw.toy.model import Sample, Toy


def learnable_l0(feature_acts: Float[Tensor, "b f"], latents: int) -> float:
    """The mean number per sample of active features, among the commonest ones, as many as there are latents."""
    rates = (feature_acts > 0).double().mean(dim=0)
    return rates.sort(descending=True).values[:latents].sum().item()


def plan(sweep: LogSweep, known: Known, toy: Toy, sample: Sample) -> list[PlannedSae]:
    """The SAEs of a sweep around a toy's learnable L0; the grid is shifted by up to half a step, drawn by its name."""
    l0, latents = learnable_l0(sample.feature_acts, known.toy.latents), known.toy.latents
    step = math.log(sweep.most / sweep.least) / (sweep.l0s - 1)
    shift = np.random.default_rng(zlib.crc32(known.name.encode())).uniform(-0.5, 0.5)
    ks = [round(l0 * sweep.least * math.exp(step * (i + shift)), 4) for i in range(sweep.l0s)]
    section = Grid(
        kind="grid",
        toy=known.name,
        ks=[k for k in ks if k <= 0.75 * latents],
        start="random",
        d_sae=latents,
        seeds=sweep.seeds,
    )
    return grid.plan(section, known.training, toy)
