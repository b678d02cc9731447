"""Verdicts on curves whose right L0 is known."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from sbw.verdict.rule import INTERVAL, TOLERANCE, Verdict, combine, curve_of, judge, knee, right_l0

LADDER = np.geomspace(1, 25, 12)


def rows(value: Callable[[float], float], l0s: np.ndarray = LADDER, seeds: int = 3, noise: float = 0.0) -> pd.DataFrame:
    generator = np.random.default_rng(7)
    table = [(l0, l0, value(l0) + noise * generator.standard_normal(), 0.0) for l0 in l0s for _ in range(seeds)]
    return pd.DataFrame(table, columns=["setting", "l0", "value", "error"])


def judged(value: Callable[[float], float], **how: float) -> Verdict:
    return judge("c_dec", rows(value, **how), np.random.default_rng(0))  # type: ignore[arg-type]


def fall_until(right: float, *, rise: float = 0.0) -> Callable[[float], float]:
    return lambda l0: 0.5 * max(0.0, math.log(right / l0)) + rise * max(0.0, math.log(l0 / right))


@pytest.mark.parametrize("right", [3.0, 7.0, 11.0, 15.0])
@pytest.mark.parametrize(("rise", "kind", "then"), [(0.0, "elbow", "stays flat"), (0.3, "minimum", "rises again")])
def test_finds_where_the_floor_begins(right: float, rise: float, kind: str, then: str) -> None:
    verdict = judged(fall_until(right, rise=rise), noise=0.003)
    assert verdict.kind == kind
    assert verdict.l0 is not None
    assert verdict.low is not None
    assert verdict.high is not None
    assert abs(math.log(verdict.l0 / right)) < math.log(LADDER[1] / LADDER[0])
    assert verdict.low < right < verdict.high
    assert f"c_dec falls until L0 {verdict.l0:.3g} ({verdict.low:.3g} to {verdict.high:.3g}) and {then} above." == (
        verdict.sentence
    )


def test_a_straight_fall_is_followed_to_the_floor_between_two_l0s() -> None:
    assert judged(fall_until(9.0)).l0 == pytest.approx(9, rel=1e-6)


def test_a_finer_sweep_has_a_narrower_interval() -> None:
    widths = []
    for points in (8, 30):
        verdict = judge("c_dec", rows(fall_until(9.0), np.geomspace(1, 25, points)), np.random.default_rng(0))
        assert verdict.low is not None
        assert verdict.high is not None
        widths.append(math.log(verdict.high / verdict.low))
    assert widths[1] < widths[0] / 2


def test_seeds_that_differ_widen_the_interval() -> None:
    def width(noise: float) -> float:
        draws = judge("c_dec", rows(fall_until(9.0, rise=0.2), noise=noise), np.random.default_rng(0)).draws
        return float(np.diff(np.nanquantile(np.log(draws), [0.05, 0.95]))[0])

    assert width(0.1) > 1.2 * width(0.001)


def test_the_error_of_a_value_widens_the_interval() -> None:
    sure, unsure = rows(fall_until(9.0, rise=0.2)), rows(fall_until(9.0, rise=0.2)).assign(error=0.15)
    spread = [np.nanstd(np.log(judge("w", table, np.random.default_rng(0)).draws)) for table in (sure, unsure)]
    assert spread[1] > 1.2 * spread[0]


@pytest.mark.parametrize(
    ("slope", "said"),
    [
        (-0.3, "falls until the highest of L0 1 to 25: extend the sweep upward."),
        (0.3, "is on its floor at the lowest of L0 1 to 25 already: extend the sweep downward."),
    ],
)
def test_a_sweep_that_does_not_reach_far_enough_says_which_way(slope: float, said: str) -> None:
    verdict = judged(lambda l0: slope * math.log(l0), noise=0.003)
    assert (verdict.kind, verdict.l0, verdict.low, verdict.high) == ("edge", None, None, None)
    assert verdict.sentence == f"c_dec {said}"


def test_a_flat_curve_is_called_flat() -> None:
    verdict = judged(lambda l0: 0.5, noise=TOLERANCE / 20)
    assert (verdict.kind, verdict.l0) == ("flat", None)
    assert verdict.sentence == "c_dec does not tell: it is the same over L0 1 to 25."


def test_the_same_generator_gives_the_same_interval() -> None:
    assert judged(fall_until(9.0), noise=0.05)[:5] == judged(fall_until(9.0), noise=0.05)[:5]


def test_two_l0s_do_not_tell() -> None:
    verdict = judge("c_dec", rows(fall_until(9.0), LADDER[:2]), np.random.default_rng(0))
    assert (verdict.kind, verdict.l0) == ("flat", None)
    assert verdict.sentence == "c_dec does not tell: that needs SAEs at 3 L0s at least, got 2."


def test_l0_is_the_mean_of_a_settings_seeds_and_settings_are_ordered_by_it() -> None:
    table = pd.DataFrame(
        [(9, 2.0, 1.0, 0.0), (9, 4.0, 3.0, 0.0), (8, 20.0, 0.0, 0.0), (7, 1.0, 5.0, 0.0)],
        columns=["setting", "l0", "value", "error"],
    )
    curve = curve_of(table)
    assert curve.settings == [7, 9, 8]
    assert np.exp(curve.x) == pytest.approx([1, 3, 20])
    assert curve.y == pytest.approx([5, 2, 0])


def test_right_l0_is_nan_where_a_curve_does_not_tell() -> None:
    assert all(math.isnan(value) for value in right_l0(curve_of(rows(lambda l0: 1.0))))
    assert right_l0(curve_of(rows(fall_until(LADDER[5]))))[1] == pytest.approx(LADDER[5])


def verdict_of(metric: str, l0: float | None, kind: str = "minimum") -> Verdict:
    draws = np.full(100, math.nan if l0 is None else l0)
    return Verdict(metric, kind, l0, l0, l0, f"{metric} says so.", draws)  # type: ignore[arg-type]


def test_the_combined_verdict_is_the_median_of_those_that_tell() -> None:
    verdict = combine([verdict_of("a", 4), verdict_of("b", None, "flat"), verdict_of("c", 9), verdict_of("d", 6)])
    assert verdict.l0 == pytest.approx(6)
    assert (verdict.low, verdict.high) == (4, 9), f"{INTERVAL} of all draws together"
    assert verdict.sentence == "The right L0 is about 6 (4 to 9): the median of a 4, c 9, d 6."


def test_where_none_tells_the_combined_verdict_is_the_first_ones() -> None:
    verdict = combine([verdict_of("a", None, "edge"), verdict_of("b", None, "flat")])
    assert (verdict.metric, verdict.kind, verdict.sentence) == ("combined", "edge", "a says so.")


def test_the_knee_is_where_a_curve_bends_in_whatever_order() -> None:
    l0 = np.array([25.0, 1, 5, 11, 18])
    assert knee(l0, np.minimum(l0, 11.0)) == 11
