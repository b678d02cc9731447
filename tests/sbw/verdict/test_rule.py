"""Verdicts on curves whose right L0 is known."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from sbw.verdict.rule import TOLERANCE, Verdict, combine, curve_of, drawn_means, judge, knee, right_l0

COLUMNS = ["setting", "seed", "l0", "value", "error", "leverage"]
LADDER = np.geomspace(1, 25, 12)


def rows(value: Callable[[float], float], l0s: np.ndarray = LADDER, seeds: int = 3, noise: float = 0.0) -> pd.DataFrame:
    generator = np.random.default_rng(7)
    table = [
        (l0, seed, l0, value(l0) + noise * generator.standard_normal(), 0.0, 1.0) for l0 in l0s for seed in range(seeds)
    ]
    return pd.DataFrame(table, columns=COLUMNS)


def judged(value: Callable[[float], float], **how: float) -> Verdict:
    return judge("c_dec", rows(value, **how), seed=0)  # type: ignore[arg-type]


def fall_until(right: float, *, rise: float = 0.0) -> Callable[[float], float]:
    return lambda l0: 0.5 * max(0.0, math.log(right / l0)) + rise * max(0.0, math.log(l0 / right))


@pytest.mark.parametrize("right", [3.0, 7.0, 11.0, 15.0])
@pytest.mark.parametrize(
    ("rise", "kind", "words"),
    [
        (0.0, "elbow", "c_dec falls until L0 {} (90 % interval {} to {}) and stays flat above."),
        (0.3, "minimum", "c_dec has its minimum at L0 {} (90 % interval {} to {})."),
    ],
)
def test_finds_where_the_floor_begins(right: float, rise: float, kind: str, words: str) -> None:
    verdict = judged(fall_until(right, rise=rise), noise=0.003)
    assert verdict.kind == kind
    assert verdict.l0 is not None
    assert verdict.low is not None
    assert verdict.high is not None
    assert abs(math.log(verdict.l0 / right)) < math.log(LADDER[1] / LADDER[0])
    assert verdict.low < right < verdict.high
    assert verdict.words == words.format(*(f"{value:.3g}" for value in (verdict.l0, verdict.low, verdict.high)))


def test_a_straight_fall_is_followed_to_the_floor_between_two_l0s() -> None:
    assert judged(fall_until(9.0)).l0 == pytest.approx(9, rel=1e-6)


def test_a_finer_sweep_has_a_narrower_interval() -> None:
    widths = []
    for points in (8, 30):
        verdict = judge("c_dec", rows(fall_until(9.0), np.geomspace(1, 25, points)), seed=0)
        assert verdict.low is not None
        assert verdict.high is not None
        widths.append(math.log(verdict.high / verdict.low))
    assert widths[1] < widths[0] / 2


def test_seeds_that_differ_widen_the_interval() -> None:
    def width(noise: float) -> float:
        draws = judge("c_dec", rows(fall_until(9.0, rise=0.2), noise=noise), seed=0).draws
        return float(np.diff(np.nanquantile(np.log(draws), [0.05, 0.95]))[0])

    assert width(0.1) > 1.2 * width(0.001)


def test_the_error_of_a_value_widens_the_interval() -> None:
    sure, unsure = rows(fall_until(9.0, rise=0.2)), rows(fall_until(9.0, rise=0.2)).assign(error=0.15)
    spread = [np.nanstd(np.log(judge("w", table, seed=0).draws)) for table in (sure, unsure)]
    assert spread[1] > 1.2 * spread[0]


@pytest.mark.parametrize(
    ("slope", "words"),
    [
        (-0.3, "edge: c_dec still falls at the highest of L0 1 to 25: extend the sweep upward."),
        (0.3, "edge: c_dec is least at the lowest of L0 1 to 25: extend the sweep downward."),
    ],
)
def test_a_sweep_that_does_not_reach_far_enough_says_which_way(slope: float, words: str) -> None:
    verdict = judged(lambda l0: slope * math.log(l0), noise=0.003)
    assert (verdict.kind, verdict.l0, verdict.low, verdict.high) == ("edge", None, None, None)
    assert verdict.words == words


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (rows(lambda l0: 0.5, noise=TOLERANCE / 20), "inconclusive: c_dec is the same at all of L0 1 to 25."),
        (rows(fall_until(9.0), LADDER[:2]), "inconclusive: c_dec needs at least 3 different L0s, got 2."),
    ],
)
def test_a_flat_curve_and_two_l0s_are_inconclusive(table: pd.DataFrame, words: str) -> None:
    verdict = judge("c_dec", table, seed=0)
    assert (verdict.kind, verdict.l0, verdict.words) == ("inconclusive", None, words)


@pytest.mark.parametrize("seeds", [2, 5, 10])
def test_the_deviation_over_draws_is_that_of_a_mean_over_seeds(seeds: int) -> None:
    table = rows(lambda l0: 0.0, np.arange(1, 401), seeds=seeds, noise=0.1)
    spread = drawn_means(curve_of(table), seed=0).std(axis=0)
    assert np.sqrt((spread**2).mean()) == pytest.approx(0.1 / math.sqrt(seeds), rel=0.1)


def test_a_draw_has_the_same_seeds_at_every_l0_and_for_every_metric() -> None:
    generator = np.random.default_rng(3)
    of_seed = dict(enumerate(generator.standard_normal(5)))
    table = rows(fall_until(9.0), seeds=5)
    table["value"] += table["seed"].map(of_seed)
    shuffled = table.sample(frac=1, random_state=0).assign(value=2 * table["value"])
    drawn, twice = (drawn_means(curve_of(some), seed=0) for some in (table, shuffled))
    moved = drawn - curve_of(table).y
    assert moved == pytest.approx(np.repeat(moved[:, :1], len(LADDER), axis=1)), "seeds that are alike at every L0"
    assert twice == pytest.approx(2 * drawn)


def test_one_seed_per_l0_has_an_interval_that_says_what_it_leaves_out() -> None:
    words = judged(fall_until(9.0, rise=0.3), seeds=1).words
    assert words.endswith("at L0 8.26 (90 % interval 8.06 to 13.5, without the spread of seeds: too few).")


def test_the_same_seed_gives_the_same_interval() -> None:
    assert judged(fall_until(9.0), noise=0.05)[:5] == judged(fall_until(9.0), noise=0.05)[:5]


def test_l0_is_the_mean_of_a_settings_seeds_and_settings_are_ordered_by_it() -> None:
    table = pd.DataFrame(
        [(9, 0, 2.0, 1.0, 0, 1), (9, 1, 4.0, 3.0, 0, 1), (8, 0, 20.0, 0.0, 0, 1), (7, 0, 1.0, 5.0, 0, 1)],
        columns=COLUMNS,
    )
    curve = curve_of(table)
    assert curve.settings == [7, 9, 8]
    assert np.exp(curve.x) == pytest.approx([1, 3, 20])
    assert curve.y == pytest.approx([5, 2, 0])


def test_right_l0_is_nan_where_a_curve_is_inconclusive() -> None:
    assert all(math.isnan(value) for value in right_l0(curve_of(rows(lambda l0: 1.0))))
    assert right_l0(curve_of(rows(fall_until(LADDER[5]))))[1] == pytest.approx(LADDER[5])


def verdict_of(metric: str, l0: float | None, kind: str = "minimum") -> Verdict:
    draws = np.full(100, math.nan if l0 is None else l0)
    return Verdict(metric, kind, l0, l0, l0, f"{metric} has words.", draws)  # type: ignore[arg-type]


def test_the_combined_verdict_is_the_median_of_those_that_name_an_l0() -> None:
    verdict = combine([verdict_of("a", 4), verdict_of("b", None, "edge"), verdict_of("c", 9), verdict_of("d", 6)])
    assert verdict.l0 == pytest.approx(6)
    assert (verdict.low, verdict.high) == (4, 9)
    assert verdict.words == "The right L0 is about 6 (90 % interval 4 to 9), the median of a 4, c 9, d 6."
    assert verdict.row["level"] == 0.9


def test_where_none_names_an_l0_the_combined_verdict_is_the_first_ones() -> None:
    verdict = combine([verdict_of("a", None, "edge"), verdict_of("b", None, "inconclusive")])
    assert (verdict.metric, verdict.kind, verdict.words) == ("combined", "edge", "a has words.")


def test_the_knee_is_where_a_curve_bends_in_whatever_order() -> None:
    l0 = np.array([25.0, 1, 5, 11, 18])
    assert knee(l0, np.minimum(l0, 11.0)) == 11
