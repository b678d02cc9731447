"""The additive score: its pieces between and beyond their knots, its document, and the L0 of a sweep by offsets."""

import json

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from sbw.verdict.offsets import (
    LEAST_ALONE,
    LEAST_SPREAD,
    NEAR,
    OF_DRAWS,
    Estimate,
    Piece,
    Score,
    alone_scales,
    estimate,
)

PIECE = Piece([0.0, 1.0, 3.0], [-1.0, 0.5, 0.0], [[-1.0, 0.5, 0.0], [-2.0, 0.5, 1.0]])
WEAKEST = Piece([0.0, 2.0], [0.3, -0.3], [[0.3, -0.3], [0.1, -0.3]])
SCORE = Score(0.1, {"coherence": PIECE, "weakest": WEAKEST}, 0.25, [0.1, 0.2])
EVIDENCE = pd.DataFrame({"weakest": [1.0, np.nan, 9.0], "coherence": [0.5, 2.0, np.nan], "l0": 4.0}, index=[7, 8, 9])
LADDER = np.log(np.geomspace(2, 30, 9))


def test_a_piece_is_straight_between_its_knots_and_constant_beyond() -> None:
    evidence = np.array([-np.inf, -5, 0, 0.5, 1, 2, 3, 80, np.inf])
    assert PIECE(evidence).tolist() == [-1, -1, -1, -0.25, 0.5, 0.25, 0, 0, 0]


def test_evidence_that_is_missing_adds_nothing() -> None:
    assert PIECE(np.array([np.nan, 0.0])).tolist() == [0, -1]


def test_an_offset_is_the_base_and_what_each_piece_adds() -> None:
    adds = SCORE.adds(EVIDENCE)
    assert adds.index.tolist() == [7, 8, 9]
    assert adds["coherence"].tolist() == [-0.25, 0.25, 0]
    assert adds["weakest"].tolist() == pytest.approx([0, 0, -0.3])
    assert SCORE.offsets(EVIDENCE).tolist() == pytest.approx([-0.15, 0.35, -0.2])


def test_a_score_is_the_same_after_its_document() -> None:
    again = Score.of(json.loads(json.dumps(SCORE.document)))
    assert again == SCORE
    assert again.offsets(EVIDENCE).tolist() == SCORE.offsets(EVIDENCE).tolist()


def test_each_draw_of_the_toys_has_offsets_of_its_own() -> None:
    of_draws = SCORE.of_draws(EVIDENCE)
    assert of_draws[0].tolist() == pytest.approx(SCORE.offsets(EVIDENCE).tolist())
    assert of_draws[1].tolist() == pytest.approx([0.2 - 0.75 - 0.1, 0.2 + 0.75, 0.2 - 0.3])
    spread = np.abs(of_draws[0] - of_draws[1]) / 2
    assert alone_scales(SCORE, EVIDENCE).tolist() == pytest.approx(np.hypot(OF_DRAWS * spread, LEAST_ALONE).tolist())


def of(log_l0: NDArray[np.float64], offsets: NDArray[np.float64], apart: float = 0.0) -> Estimate:
    """The estimate of a score that gives these offsets, and, by two draws of the toys, `apart` more and less."""
    line = [-100.0, 100.0]
    score = Score(0.0, {"offset": Piece(line, line, [line, line])}, 1.0, [apart, -apart])
    return estimate(score, pd.DataFrame({"log_l0": log_l0, "offset": offsets}))


def test_where_the_draws_of_the_toys_differ_the_scale_is_greater() -> None:
    found = of(LADDER, LADDER - np.log(7), apart=0.1)
    assert found.log_l0 == pytest.approx(np.log(7))
    assert found.scale == pytest.approx(np.hypot(OF_DRAWS * 0.1, LEAST_SPREAD), rel=0.02)


@pytest.mark.parametrize("l0", [1.5, 4.0, 11.0, 60.0])
def test_offsets_without_error_give_the_right_l0_wherever_the_sweep_lies(l0: float) -> None:
    found = of(LADDER, LADDER - np.log(l0))
    assert found == pytest.approx((np.log(l0), LEAST_SPREAD), abs=1e-9)


@pytest.mark.parametrize("shift", [-0.3, 0.2])
def test_offsets_that_are_all_too_great_give_an_l0_as_much_too_low(shift: float) -> None:
    assert of(LADDER, LADDER - 2 + shift).log_l0 == pytest.approx(2 - shift, abs=1e-9)


def test_saes_near_the_right_l0_weigh_most() -> None:
    log_l0, offsets = np.array([1.0, 5.0]), np.array([0.0, 2 * NEAR])  # they say 1 and 5 − 2 NEAR
    share = np.exp(-2) / (1 + np.exp(-2))
    apart = 4 - 2 * NEAR
    found = of(log_l0, offsets)
    assert found.log_l0 == pytest.approx(1 + share * apart, abs=1e-6)
    spread = np.sqrt(share * (1 - share)) * apart
    assert found.scale == pytest.approx(np.hypot(spread, LEAST_SPREAD), abs=1e-6)
