"""The verdict of a sweep by all pieces of evidence together, and of an SAE alone, in words."""

import math
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbw.verdict.offsets import Score, alone_scales, estimate, load_rule
from sbw.verdict.pieces import ALONE, SWEPT
from sbw.verdict.rule import LEAST_L0S, Floats, Verdict, different_l0s, in_words

WIDEST = 4.0
"""Ratio of an interval's ends above which a sweep is inconclusive."""
SPEAKS = math.log(1.1)
"""What a piece of evidence adds to the offset, from which it is said to speak for another L0."""
BEYOND_BY = 0.1
"""The right L0 is beyond a sweep of which each SAE, by itself, has an offset beyond this, all on one side, or if the
estimate is."""
_MOST_NAMED = 3

Side = Literal["too low", "about right", "too high", "inconclusive"]


class Diagnosis(NamedTuple):
    """What an SAE alone shows of its L0, without a sweep."""

    side: Side
    """`about right`: the interval holds the right L0; `inconclusive`: a piece of evidence is missing."""
    low: float
    """Lower end of the interval of L0 / right L0, whose level is INTERVAL."""
    high: float
    """Upper end of it."""


def weighed(evidence: pd.DataFrame) -> tuple[Verdict, pd.DataFrame]:
    """The verdict of a sweep, and what each piece of evidence adds to the offset of each SAE.

    Args:
        evidence: the rows of `pieces_of`.
    """
    rule = load_rule()
    score, alone = (Score.of(rule[kind]) for kind in ("sweep", "alone"))
    log_l0, by_itself = evidence["log_l0"].to_numpy(), alone.offsets(evidence)
    adds = score.adds(evidence)
    found = estimate(score, evidence)
    half = score.error * found.scale
    l0, low, high = (math.exp(found.log_l0 + shift) for shift in (0, -half, half))
    swept = f"the swept L0 {math.exp(log_l0[0]):.3g} to {math.exp(log_l0[-1]):.3g}"
    named: dict[str, Any] = {"kind": "inconclusive", "l0": None, "low": None, "high": None}
    whole = different_l0s(log_l0[~_lacking(evidence, alone)])
    side = _side_of(log_l0, by_itself, found.log_l0)
    if whole < LEAST_L0S:
        words = f"inconclusive: a sweep needs at least {LEAST_L0S} different L0s with all evidence, got {whole}."
    elif side:
        named |= {"kind": "edge", "beyond": side}
        words = f"edge: the right L0 is {side} {swept}: extend the sweep that way."
    elif high / low > WIDEST:
        words = f"inconclusive: the SAEs of {swept} disagree, on L0s from {low:.3g} to {high:.3g}."
    else:
        named = {"kind": "estimate", "l0": l0, "low": low, "high": high}
        near = adds.iloc[int(np.argmin(np.abs(log_l0 - found.log_l0)))]
        beyond = _beyond(evidence["d_sae"].max(), l0, rule["fitted_on"])
        words = f"The right L0 is about {l0:.3g} ({in_words(low, high)}). {_who_speaks(near)}{beyond}"
    return Verdict(metric="combined", words=words, draws=np.array([]), **named), adds


def diagnosed(evidence: pd.DataFrame) -> list[Diagnosis]:
    """What each SAE shows alone, from its pieces of ALONE."""
    score = Score.of(load_rule()["alone"])
    halves = score.error * alone_scales(score, evidence)
    return [
        Diagnosis(_side(offset, half, unknown), math.exp(offset - half), math.exp(offset + half))
        for offset, half, unknown in zip(score.offsets(evidence), halves, _lacking(evidence, score), strict=True)
    ]


def _side_of(log_l0: Floats, by_itself: Floats, estimated: float) -> Literal["above", "below", ""]:
    """On which side of the sweep the right L0 is; nothing if it is within."""
    if by_itself.min() > BEYOND_BY or estimated < log_l0[0]:
        return "below"
    return "above" if by_itself.max() < -BEYOND_BY or estimated > log_l0[-1] else ""


def _lacking(evidence: pd.DataFrame, alone: Score) -> NDArray[np.bool_]:
    """Of which SAEs a piece is missing that each has by itself."""
    return evidence[list(alone.pieces)].isna().any(axis=1).to_numpy()


def _side(offset: float, error: float, unknown: bool) -> Side:
    if unknown:
        return "inconclusive"
    return "about right" if abs(offset) <= error else "too low" if offset < 0 else "too high"


def _who_speaks(adds: "pd.Series[float]") -> str:
    """Which pieces of evidence speak for a higher and for a lower L0, at the SAE nearest the estimate."""
    names = ALONE | SWEPT
    higher, lower = adds[adds < -SPEAKS].sort_values(), adds[adds > SPEAKS].sort_values(ascending=False)
    said = [
        f"{', '.join(names[str(name)] for name in speaking.index[:_MOST_NAMED])} for a {which} L0"
        for which, speaking in (("higher", higher), ("lower", lower))
        if len(speaking)
    ]
    return f"What speaks against it: {'; '.join(said)}." if said else "No piece of evidence speaks strongly against it."


def _beyond(latents: float, l0: float, fitted_on: dict[str, Any]) -> str:
    """A caution where the rule is used beyond the toys that it was fitted on."""
    (_, most_latents), (_, most_l0) = fitted_on["latents"], fitted_on["l0"]
    if latents <= most_latents and l0 <= most_l0:
        return ""
    return (
        f" Caution: the rule was fitted on toys of at most {most_latents:.0f} latents and a right L0 of at most "
        f"{most_l0:.3g}; beyond, how often the interval holds is not known."
    )
