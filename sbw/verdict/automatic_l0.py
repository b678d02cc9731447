"""An L0 that moves while SAEs train, to where the coherence of their latents changes its sign."""

import math
from typing import NamedTuple

import pyarrow as pa
import torch

from sbw.files import column
from sbw.lockstep.trainer import STEER_EVERY, Look
from sbw.metrics.coherence import coherence

PATH = pa.schema(
    [
        column("toy", pa.string(), "toy that the SAEs are trained on"),
        column("start", pa.float64(), "L0 at the first step"),
        column("step", pa.int64(), "steps done"),
        column("l0", pa.float64(), "L0 that the SAEs are trained at after this step"),
        column("coherence", pa.float64(), "of the latents on the step's batch, mean over the SAEs"),
        column("true_l0", pa.float64(), "active features per sample, on average"),
    ]
)

AIM = 0.005
"""The coherence that is steered to: above the right L0 it may stay at 0, where there is noise, but not above 0."""
SCALE = 0.02
"""Distance from AIM at which L0 moves at its greatest rate."""
RATE = 0.03
"""The greatest step of L0 between two looks, in log L0."""
MEMORY = 0.8
"""Weight of the past in the running mean of the coherence."""
SLOW_FROM, HELD_FROM = 0.6, 0.9
"""Shares of the training after which L0 slows down, and after which it stays."""


class PathPoint(NamedTuple):
    """The L0 at one look."""

    step: int
    """Steps done."""
    l0: float
    """The L0 that the SAEs are trained at after it."""
    coherence: float
    """Mean over the SAEs; NaN before the first look."""


class L0Steering:
    """Steers SAEs to the right L0 while they train (that L0 moves is from App. A.11 of arXiv 2508.16560).

    Every 100 steps log L0 moves by RATE · clip((κ − AIM) / SCALE, −1, 1), with the running mean of the coherence κ of
    the SAEs' codes. With L0 too low κ > 0, and L0 rises; with L0 too high κ < 0, and it falls.
    """

    def __init__(self, start: float, steps: int, d_sae: int):
        self.l0, self.steps, self.d_sae = start, steps, d_sae
        self.path = [PathPoint(0, start, math.nan)]
        self._mean = 0.0

    @torch.no_grad()
    def __call__(self, looks: list[Look]) -> list[float]:
        """Look at the SAEs; returns the k that each is trained at from here on."""
        done = len(self.path)
        now = sum(coherence(look.codes, look.W_dec) for look in looks) / len(looks)
        self._mean = MEMORY * self._mean + (1 - MEMORY) * now
        force = (self._mean / (1 - MEMORY**done) - AIM) / SCALE
        pace = min(1.0, max(0.0, (HELD_FROM - done * STEER_EVERY / self.steps) / (HELD_FROM - SLOW_FROM)))
        moved = self.l0 * math.exp(RATE * pace * max(-1.0, min(1.0, force)))
        self.l0 = min(float(self.d_sae), max(1.0, moved))
        self.path.append(PathPoint(done * STEER_EVERY, self.l0, now))
        return [self.l0] * len(looks)
