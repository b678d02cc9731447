"""An L0 that moves while SAEs train, to where a higher L0 no longer lowers c_dec."""

import math
from typing import NamedTuple

import pyarrow as pa
from jaxtyping import Float
from torch import Tensor

from sbw.files import column
from sbw.lockstep.trainer import STEER_EVERY
from sbw.metrics.geometry import null_pairwise_cosine, pairwise_cosine

PATH = pa.schema(
    [
        column("toy", pa.string(), "toy that the SAEs are trained on"),
        column("start", pa.float64(), "L0 at the first step"),
        column("step", pa.int64(), "steps done"),
        column("l0", pa.float64(), "L0 that the SAEs are trained around after this step"),
        column("c_dec", pa.float64(), "mean absolute cosine similarity of two decoder rows, mean over the SAEs"),
        column("true_l0", pa.float64(), "active features per sample, on average"),
    ]
)

SPREAD = 0.1
"""Distance of the SAEs' own L0 from the steered one, in log L0: half above it, half below, in turns."""
SLOPE = 0.15
"""The slope of c_dec that counts as flat, in units of random directions' c_dec, per log L0 and look."""
RATE = 0.04
"""The greatest step of L0 between two looks, in log L0."""
MEMORY = 0.8
"""Weight of the past in the running mean of the slopes."""
SLOW_FROM, HELD_FROM = 0.6, 0.9
"""Shares of the training after which L0 slows down, and after which it stays, with all SAEs at one value."""


class PathPoint(NamedTuple):
    """The L0 at one look."""

    step: int
    """Steps done."""
    l0: float
    """The L0 that the SAEs are trained around after it."""
    c_dec: float
    """Mean over the SAEs."""


class L0Steering:
    """Steers SAEs to the right L0 while they train (the idea is from App. A.11 of arXiv 2508.16560).

    During training the change of c_dec is more telling than c_dec, which also reflects what was learned at another L0.
    So every 100 steps the SAEs swap places between L0·e^SPREAD and L0/e^SPREAD, and the slope is

        (mean change of c_dec of those that were above − of those below) / (2 · SPREAD · c_null),

    free of changes with time alone. Below the true L0 the slope is negative, for a higher L0 lets latents separate;
    above it, it is about 0. L0 moves by −RATE · clip(mean slope / SLOPE + 1, −1, 1) in log L0 per look.
    """

    def __init__(self, start: float, steps: int, d_sae: int):
        self.l0, self.steps, self.d_sae = start, steps, d_sae
        self.path: list[PathPoint] = []
        self._was: list[float] = []
        self._above = 1
        self._slope = 0.0

    def __call__(self, decoders: list[Float[Tensor, "h d"]]) -> list[float]:
        """Look at the decoders; returns the k that each is trained at from here on."""
        looks = len(self.path)
        null = null_pairwise_cosine(decoders[0].shape[1])
        now = [pairwise_cosine(W_dec) / null for W_dec in decoders]
        if looks:
            changes = [self._side(i) * (new - old) for i, (new, old) in enumerate(zip(now, self._was, strict=True))]
            self._move(sum(changes) / len(changes) / SPREAD, looks)
        self._was, self._above = now, -self._above
        self.path.append(PathPoint(looks * STEER_EVERY, self.l0, null * sum(now) / len(now)))
        held = self._progress(looks) >= HELD_FROM
        ks = [self.l0 * math.exp(0 if held else self._side(i) * SPREAD) for i in range(len(now))]
        return [min(k, self.d_sae) for k in ks]

    def _side(self, i: int) -> int:
        return self._above * (1 if i % 2 else -1)

    def _move(self, slope: float, looks: int) -> None:
        self._slope = MEMORY * self._slope + (1 - MEMORY) * slope
        mean = self._slope / (1 - MEMORY**looks)
        pace = min(1.0, max(0.0, (HELD_FROM - self._progress(looks)) / (HELD_FROM - SLOW_FROM)))
        down = max(-1.0, min(1.0, mean / SLOPE + 1))
        self.l0 = min(self.d_sae / math.exp(SPREAD), max(1.0, self.l0 * math.exp(-RATE * pace * down)))

    def _progress(self, looks: int) -> float:
        return looks * STEER_EVERY / self.steps
