"""The fit on invented sweeps: it recovers L0s that it has not seen, and gives noise no say."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbw.verdict.fitting import FOLDS, Swept, conformal, errors, fit, folds

NAMES = ["rises", "falls", "noise"]


def invented(count: int, seed: int, *, missing: float = 0.0) -> list[Swept]:
    """Sweeps whose evidence follows log(L0 / truth) with some noise, and has nothing to say in `noise`."""
    rng = np.random.default_rng(seed)
    return [_sweep(rng, i, missing) for i in range(count)]


def _sweep(rng: np.random.Generator, i: int, missing: float) -> Swept:
    truth = rng.uniform(1, 3)
    t = np.linspace(rng.uniform(-1.3, -0.6), rng.uniform(0.4, 1.2), 9)
    said = {
        "rises": np.tanh(t) + 0.05 * rng.standard_normal(9),
        "falls": -50 * np.exp(t) + 2 * rng.standard_normal(9),
        "noise": rng.standard_normal(9),
    }
    evidence = pd.DataFrame({"log_l0": truth + t, **said})
    evidence[NAMES] = evidence[NAMES].mask(rng.random((9, 3)) < missing)
    return Swept(f"toy_{i}", "0.3 to 3", truth, evidence, np.exp(-(t**2)), pd.DataFrame(), pd.DataFrame())


@pytest.mark.parametrize(("missing", "most"), [(0.0, 0.05), (0.3, 0.1)])
def test_the_l0_of_sweeps_that_were_not_fitted_is_found(missing: float, most: float) -> None:
    score = fit(invented(60, 0, missing=missing), NAMES)
    found = errors(score, invented(40, 1, missing=missing))
    assert found["toy"].tolist() == [f"toy_{i}" for i in range(40)]
    assert found["error"].abs().median() < most


def test_evidence_adds_less_below_the_right_l0_than_above_and_noise_next_to_nothing() -> None:
    pieces = fit(invented(60, 0), NAMES).pieces
    assert (np.diff(pieces["rises"].adds) > 0).all()
    assert (np.diff(pieces["falls"].adds) < 0).all()
    assert np.ptp(pieces["rises"].adds) > 0.3
    assert np.abs(pieces["noise"].adds).max() < 0.05


def test_sweeps_that_lack_a_piece_have_no_say_in_it() -> None:
    sweeps = invented(30, 0)
    lacking = [sweep._replace(evidence=sweep.evidence.assign(rises=np.nan)) for sweep in sweeps]
    alone, beside = fit(sweeps, ["rises"]), fit([*sweeps, *lacking], ["rises"])
    assert beside.base == pytest.approx(alone.base)
    np.testing.assert_allclose(beside.pieces["rises"].adds, alone.pieces["rises"].adds, rtol=1e-6)


def test_without_evidence_an_offset_is_the_base() -> None:
    score = fit(invented(30, 0), NAMES)
    nothing = pd.DataFrame(np.nan, index=range(2), columns=NAMES)
    assert score.offsets(nothing).tolist() == [score.base, score.base]


def test_a_piece_that_never_changes_adds_nothing() -> None:
    sweeps = [sweep._replace(evidence=sweep.evidence.assign(flat=3.0)) for sweep in invented(30, 0)]
    score = fit(sweeps, [*NAMES, "flat"])
    assert score.adds(sweeps[0].evidence)["flat"].abs().max() == pytest.approx(0, abs=1e-12)
    without = fit(sweeps, NAMES)
    np.testing.assert_allclose(score.offsets(sweeps[0].evidence), without.offsets(sweeps[0].evidence), atol=1e-9)


def test_an_error_is_above_zero_where_too_much_is_recommended() -> None:
    sweeps = invented(30, 0)
    score = fit(sweeps, NAMES)
    lower = score._replace(base=score.base - 0.2)
    before, after = (errors(of, sweeps)["error"] for of in (score, lower))
    assert (before < after).all()
    truer = [sweep._replace(truth=sweep.truth + 0.5) for sweep in sweeps]
    np.testing.assert_allclose(errors(score, truer)["error"], before - 0.5)


@pytest.mark.parametrize(
    ("count", "level", "place"), [(9, 0.9, 9), (19, 0.9, 18), (19, 0.5, 10), (4, 0.5, 3), (5, 0.9, 5), (99, 0.95, 95)]
)
def test_the_half_width_is_the_right_one_of_the_ordered_errors(count: int, level: float, place: int) -> None:
    magnitudes = np.random.default_rng(0).permutation(np.arange(1.0, count + 1))
    assert conformal(magnitudes, level) == place


@given(magnitudes=st.lists(st.floats(0, 10), min_size=1, max_size=60), level=st.floats(0.05, 0.99))
def test_it_covers_its_level_of_the_errors_that_it_is_made_of(magnitudes: list[float], level: float) -> None:
    assert np.mean(np.array(magnitudes) <= conformal(np.array(magnitudes), level)) >= level


def test_each_fold_is_a_range_of_right_l0s_with_all_sweeps_of_its_toys() -> None:
    sweeps = invented(13, 0)
    truths = {sweep.toy: sweep.truth for sweep in sweeps}
    found = folds([*sweeps, *(sweep._replace(range="0.6 to 4") for sweep in sweeps)])
    assert sorted(toy for fold in found for toy in fold) == sorted(truths)
    assert len(found) == FOLDS
    ends = [(min(truths[toy] for toy in fold), max(truths[toy] for toy in fold)) for fold in found]
    assert all(most < least for (_, most), (least, _) in pairwise(ends))
