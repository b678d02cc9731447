"""Scores count what they say, on a table small enough to count by hand."""

import math

import pandas as pd
import pytest

from sbw.validation import METHODS, RECOMMENDED, recommended, scores
from tests.sbw.test_evidence import KS, RIGHT, projections, saes, stability


def table() -> pd.DataFrame:
    rows = [
        ("a", "held_out", 10.0, "c_dec", "minimum", 11.0, 9.0, 12.0),
        ("b", "held_out", 10.0, "c_dec", "elbow", 5.0, 4.0, 6.0),
        ("c", "held_out", 10.0, "c_dec", "flat", math.nan, math.nan, math.nan),
        ("a", "held_out", 10.0, "knee", None, 12.0, math.nan, math.nan),
        ("d", "development", 10.0, "c_dec", "minimum", 10.0, 9.0, 11.0),
    ]
    return pd.DataFrame(rows, columns=["toy", "set", "true_l0", "method", "verdict", "l0", "low", "high"])


def test_scores_by_set_and_method() -> None:
    found = scores(table())
    assert found["held_out"]["c_dec"] == {
        "toys": 3, "named": 2, "covered": 0.5, "median_error": 0.3, "worst_error": 0.5
    }  # fmt: skip
    assert found["held_out"]["knee"]["covered"] is None
    assert found["held_out"]["knee"]["median_error"] == pytest.approx(0.2)
    assert found["development"]["c_dec"]["worst_error"] == 0


def test_a_method_that_names_nothing_has_no_error() -> None:
    found = scores(table())["development"]["stability"]
    assert found == {"toys": 0, "named": 0, "covered": None, "median_error": None, "worst_error": None}


def test_every_method_is_tried_on_a_sweep() -> None:
    swept = saes().assign(true_l0=7.9, variance_explained_about_zero=[min(k, RIGHT) / 10 for k in KS for _ in (0, 1)])
    found = recommended(swept, projections(), stability(), seed=0)
    assert sorted(found["method"]) == sorted(METHODS)
    assert set(found.columns) == set(RECOMMENDED.names) - {"toy", "set"}
    by_method = found.set_index("method")["l0"]
    for method in ("c_dec", "width", "stability", "combined", "knee"):
        assert by_method[method] == pytest.approx(RIGHT, rel=0.05), method
