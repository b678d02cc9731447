"""How far an SAE's L0 lies from the right one: an additive score of pieces of evidence.

    offset = base + Σ_j f_j(e_j)        of log(L0 / right L0): below 0 the L0 is too low, above 0 too high

with f_j piecewise linear between a few knots and constant beyond, so that each piece of evidence says by itself how
much it speaks for "too low" or "too high". The f_j are fitted on toys whose L0 is known (`sbw/verdict/fitting.py`)
and are in `rule.json`.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

RULE = Path(__file__).with_name("rule.json")
"""The fitted rule: a score for an SAE in a sweep, one for an SAE alone, and what they were fitted on."""

Floats = NDArray[np.floating[Any]]


class Piece(NamedTuple):
    """f_j of one piece of evidence."""

    at: list[float]
    """Its knots, ascending, in the units of the piece."""
    adds: list[float]
    """The value at each, in log L0."""

    def __call__(self, evidence: Floats) -> Floats:
        """What it adds to the offset; 0, the mean of all toys, where the evidence is NaN."""
        return np.where(np.isnan(evidence), 0.0, np.interp(evidence, self.at, self.adds))


class Score(NamedTuple):
    """An additive score, and how wrong it was on toys that it was not fitted on."""

    base: float
    pieces: dict[str, Piece]
    error: float
    """Half of the interval's width, in log L0 per unit of `Estimate.scale`, by conformal prediction."""

    def adds(self, evidence: pd.DataFrame) -> pd.DataFrame:
        """What each piece adds to the offset of each row."""
        columns = {name: piece(evidence[name].to_numpy(float)) for name, piece in self.pieces.items()}
        return pd.DataFrame(columns, index=evidence.index)

    def offsets(self, evidence: pd.DataFrame) -> Floats:
        """log(L0 / right L0) of each row, as far as the evidence tells."""
        return self.base + self.adds(evidence).sum(axis=1).to_numpy()

    @classmethod
    def of(cls, document: dict[str, Any]) -> Self:
        """The score from its part of `rule.json`."""
        pieces = {name: Piece(**piece) for name, piece in document["pieces"].items()}
        return cls(document["base"], pieces, document["error"])

    @property
    def document(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**self._asdict(), "pieces": {name: piece._asdict() for name, piece in self.pieces.items()}}


NEAR = 0.35
"""In the estimate of a sweep an SAE whose offset is o weighs exp(−(o / NEAR)² / 2)."""
LEAST_SPREAD = 0.05
"""Spread, in log L0, below which the SAEs of a sweep do not differ in earnest."""


class Estimate(NamedTuple):
    """The right log L0 by a sweep."""

    log_l0: float
    """The mean of log L0 − offset over its SAEs, in which those near the right L0 weigh most."""
    scale: float
    """√(spread² + LEAST_SPREAD²), with the weighted standard deviation of what the SAEs name."""


def estimate(log_l0: Floats, offsets: Floats) -> Estimate:
    """The right L0 by a sweep's log L0s and the offset of each."""
    weights, named = np.exp(-((offsets / NEAR) ** 2) / 2) + 1e-9, log_l0 - offsets
    mean = float(np.average(named, weights=weights))
    return Estimate(mean, float(np.hypot(np.sqrt(np.average((named - mean) ** 2, weights=weights)), LEAST_SPREAD)))


def load_rule() -> dict[str, Any]:
    """The rule as shipped: `sweep` and `alone`, documents of a `Score`, and `fitted_on`."""
    return json.loads(RULE.read_text())
