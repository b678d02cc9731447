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

from sbw.verdict.rule import Floats

RULE = Path(__file__).with_name("rule.json")
"""The fitted rule: a score for an SAE in a sweep, one for an SAE alone, and what they were fitted on."""


class Piece(NamedTuple):
    """f_j of one piece of evidence."""

    at: list[float]
    """Its knots, ascending, in the units of the piece."""
    adds: list[float]
    """The value at each, in log L0."""
    resampled: list[list[float]]
    """The same, fitted on toys that were drawn anew from the fitted ones, with replacement: one list per draw."""

    def __call__(self, evidence: Floats) -> Floats:
        """What it adds to the offset; 0, the mean of all toys, where the evidence is NaN."""
        return self._interpolated(evidence, self.adds)

    def of_draws(self, evidence: Floats) -> list[Floats]:
        """What it adds by each of `resampled`."""
        return [self._interpolated(evidence, adds) for adds in self.resampled]

    def _interpolated(self, evidence: Floats, adds: list[float]) -> Floats:
        return np.where(np.isnan(evidence), 0.0, np.interp(evidence, self.at, adds))


class Score(NamedTuple):
    """An additive score, and how wrong it was on toys that it was not fitted on."""

    base: float
    pieces: dict[str, Piece]
    error: float
    """Half of the interval's width, in log L0 per unit of a scale, by conformal prediction."""
    bases: list[float]
    """The base of each draw of `Piece.resampled`."""

    def adds(self, evidence: pd.DataFrame) -> pd.DataFrame:
        """What each piece adds to the offset of each row."""
        columns = {name: piece(evidence[name].to_numpy(float)) for name, piece in self.pieces.items()}
        return pd.DataFrame(columns, index=evidence.index)

    def offsets(self, evidence: pd.DataFrame) -> Floats:
        """log(L0 / right L0) of each row, as far as the evidence tells."""
        return self.base + self.adds(evidence).sum(axis=1).to_numpy()

    def of_draws(self, evidence: pd.DataFrame) -> Floats:
        """[draws, rows]: `offsets` by each draw of the toys. Where they differ, the toys do not settle the matter."""
        adds = [piece.of_draws(evidence[name].to_numpy(float)) for name, piece in self.pieces.items()]
        return np.array(self.bases)[:, None] + np.sum(adds, axis=0)

    @classmethod
    def of(cls, document: dict[str, Any]) -> Self:
        """The score from its part of `rule.json`."""
        pieces = {name: Piece(**piece) for name, piece in document["pieces"].items()}
        return cls(document["base"], pieces, document["error"], document["bases"])

    @property
    def document(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**self._asdict(), "pieces": {name: piece._asdict() for name, piece in self.pieces.items()}}


NEAR = 0.35
"""In the estimate of a sweep an SAE whose offset is o weighs exp(−(o / NEAR)² / 2)."""
LEAST_SPREAD, LEAST_ALONE = 0.03, 0.3
"""Spread, in log L0, below which the SAEs of a sweep, or the draws of the toys, do not differ in earnest; and that of
an SAE alone."""
OF_DRAWS = 5.0
"""Weight of the spread of the draws of the toys beside that of the SAEs."""


class Estimate(NamedTuple):
    """The right log L0 by a sweep."""

    log_l0: float
    """The mean of log L0 − offset over its SAEs, in which those near the right L0 weigh most."""
    scale: float
    """√(spread² + (OF_DRAWS · spread of draws)² + LEAST_SPREAD²), where the spreads are the standard deviations of what
    the SAEs name, weighted, and of what the draws of the toys name."""


def estimate(score: Score, evidence: pd.DataFrame) -> Estimate:
    """The right log L0 by the evidence of a sweep's SAEs."""
    log_l0 = evidence["log_l0"].to_numpy(float)
    mean, spread = _weighted(log_l0, score.offsets(evidence))
    of_draws = np.std([_weighted(log_l0, offsets)[0] for offsets in score.of_draws(evidence)])
    return Estimate(mean, float(np.sqrt(spread**2 + (OF_DRAWS * of_draws) ** 2 + LEAST_SPREAD**2)))


def alone_scales(score: Score, evidence: pd.DataFrame) -> Floats:
    """√((OF_DRAWS · spread of draws)² + LEAST_ALONE²) of the offset of each SAE by itself."""
    return np.hypot(OF_DRAWS * score.of_draws(evidence).std(axis=0), LEAST_ALONE)


def _weighted(log_l0: Floats, offsets: Floats) -> tuple[float, float]:
    """The mean of what SAEs name, and its standard deviation."""
    weights, named = np.exp(-((offsets / NEAR) ** 2) / 2) + 1e-9, log_l0 - offsets
    mean = float(np.average(named, weights=weights))
    return mean, float(np.sqrt(np.average((named - mean) ** 2, weights=weights)))


def load_rule() -> dict[str, Any]:
    """The rule as shipped: `sweep` and `alone`, documents of a `Score`, and `fitted_on`."""
    return json.loads(RULE.read_text())
