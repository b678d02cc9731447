"""Scores of the methods, on a table small enough to count by hand."""

import math

import pandas as pd
import pytest

from sbw.verdict.trials import METHODS, RECOMMENDED, TRIED, method_scores, toy_summary, toy_words, tried
from tests.sbw.verdict.sweeps import KS, RIGHT, pairs, projections, saes


def table() -> pd.DataFrame:
    rows = [
        ("a", "held_out", 10.0, "c_dec", "minimum", 11.0, 9.0, 12.0),
        ("b", "held_out", 10.0, "c_dec", "elbow", 5.0, 4.0, 6.0),
        ("c", "held_out", 10.0, "c_dec", "inconclusive", math.nan, math.nan, math.nan),
        ("a", "held_out", 10.0, "knee", None, 12.0, math.nan, math.nan),
        ("d", "development", 10.0, "c_dec", "minimum", 10.0, 9.0, 11.0),
    ]
    return pd.DataFrame(rows, columns=["toy", "set", "true_l0", "method", "verdict", "l0", "low", "high"])


def test_scores_by_set_and_method() -> None:
    found = method_scores(table())
    assert found["held_out"]["c_dec"] == {
        "toys": 3, "named": 2, "covered": 0.5, "median_error": 0.3, "worst_error": 0.5
    }  # fmt: skip
    assert found["held_out"]["knee"]["covered"] is None
    assert found["held_out"]["knee"]["median_error"] == pytest.approx(0.2)
    assert found["development"]["c_dec"]["worst_error"] == 0


def test_a_method_that_names_nothing_has_no_error() -> None:
    found = method_scores(table())["development"]["stability"]
    assert found == {"toys": 0, "named": 0, "covered": None, "median_error": None, "worst_error": None}


KNOWN = {"toy", "like", "set", "num_features", "d_sae"}


def swept() -> pd.DataFrame:
    explained = [min(k, RIGHT) / 10 for k in KS for _ in (0, 1)]
    mcc = [1 - abs(math.log(k / RIGHT)) / 5 for k in KS for _ in (0, 1)]
    return saes().assign(true_l0=7.9, variance_explained_about_zero=explained, mcc=mcc)


def test_every_method_is_tried_on_a_sweep() -> None:
    found = tried(swept(), projections(), pairs(), seed=0)
    assert sorted(found.recommended["method"]) == sorted(METHODS)
    assert set(found.recommended.columns) == set(RECOMMENDED.names) - KNOWN
    by_method = found.recommended.set_index("method")["l0"]
    for method in ("c_dec", "width", "stability", "combined", "knee", "mcc"):
        assert by_method[method] == pytest.approx(RIGHT, rel=0.05), method


def test_the_curves_are_those_of_every_method_that_has_one() -> None:
    curves = tried(swept(), projections(), pairs(), seed=0).curves
    assert set(curves.columns) == set(TRIED.names) - KNOWN
    assert set(curves["metric"]) == set(METHODS) - {"combined", "knee"}
    of_mcc = curves[curves["metric"] == "mcc"]
    assert of_mcc["value"].tolist() == pytest.approx((1 - swept()["mcc"]).tolist())


def rows_of(**l0s: tuple[float, float, float] | None) -> pd.DataFrame:
    """One toy, 10 features active, by method the L0 and its interval; None where it names none."""
    named = {method: l0 or (math.nan,) * 3 for method, l0 in l0s.items()}
    verdicts = ["inconclusive" if l0 is None else "minimum" for l0 in l0s.values()]
    table = pd.DataFrame(named.values(), columns=["l0", "low", "high"]).assign(
        method=list(named), verdict=verdicts, true_l0=10.0, toy="a", num_features=64, d_sae=32
    )
    return table.astype({"l0": float, "low": float, "high": float})


def test_what_holds_is_one_sentence() -> None:
    assert toy_words(rows_of(c_dec=(11, 9, 12), combined=(11, 9, 12), knee=(12, math.nan, math.nan))) == (
        "10 features are active per sample. The recommendation is 11 (90 % interval 9 to 12), 10 % too high; the "
        "interval holds the true L0."
    )


def test_what_fails_is_named_with_how_far_off_it_is() -> None:
    words = toy_words(
        rows_of(c_dec=None, s_n=(30, 20, 40), width=(14, 9, 20), combined=(6, 5, 8), knee=(5, math.nan, math.nan))
    )
    assert words == (
        "10 features are active per sample. The recommendation is 6 (90 % interval 5 to 8), 40 % too low; the interval "
        "does not hold the true L0. c_dec names no L0 (inconclusive). s_n fails: 30 (90 % interval 20 to 40), 200 % "
        "too high. knee fails: 5, 50 % too low."
    )


def test_a_toy_has_its_numbers_and_words() -> None:
    document = toy_summary(rows_of(c_dec=None, combined=None))
    assert document["words"] == (
        "10 features are active per sample. The recommendation names no L0 (inconclusive). "
        "c_dec names no L0 (inconclusive)."
    )
    assert {**document, "words": ""} == {
        "num_features": 64, "d_sae": 32, "true_l0": 10.0, "level": 0.9, "words": "",
        "c_dec": dict.fromkeys(["l0", "low", "high"]), "combined": dict.fromkeys(["l0", "low", "high"]),
    }  # fmt: skip
    assert toy_summary(rows_of(combined=(11, 9, 12)))["combined"] == {"l0": 11.0, "low": 9.0, "high": 12.0}
