"""Scores of the methods, on tables small enough to count by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from sbw.verdict.fitting import Swept, swept
from sbw.verdict.offsets import LEAST_ALONE, Piece, Score
from sbw.verdict.rule import Verdict
from sbw.verdict.trials import BEYOND, METHODS, alone_scores, beyond_scores, scores, tried
from tests.sbw.verdict.sweeps import RIGHT, coded, projections

NO_TABLE = pd.DataFrame()


def table() -> pd.DataFrame:
    rows = [
        ("a", "verdict", 11.0, 9.0, 12.0, 0.0),
        ("b", "verdict", 5.0, 4.0, 6.0, 0.2),
        ("a", "knee", 12.0, math.nan, math.nan, 0.1),
        ("b", "knee", math.nan, math.nan, math.nan, math.nan),
    ]
    columns = ["toy", "method", "l0", "low", "high", "regret"]
    return pd.DataFrame(rows, columns=columns).assign(range="0.3 to 3", true_l0=10.0)


def test_a_methods_errors_and_regret_are_those_of_the_sweeps_where_it_names_an_l0() -> None:
    found = scores(table())
    assert found["verdict"]["median_error"] == pytest.approx((math.log(1.1) + math.log(2)) / 2)
    assert found["verdict"]["covered"] == 0.5
    assert found["verdict"]["ratio"] == pytest.approx((12 / 9 + 1.5) / 2)
    assert found["verdict"]["median_regret"] == pytest.approx(0.1)
    assert found["knee"]["named"] == 0.5
    assert found["knee"]["median_error"] == pytest.approx(math.log(1.2))
    assert found["knee"]["worse_by"] == pytest.approx([math.log(1.2 / 1.1)] * 3)


def sweeps() -> list[Swept]:
    return swept(coded().assign(toy="a", learnable_l0=0.99 * RIGHT), projections())


def test_every_method_is_tried_on_a_clear_sweep_and_near_the_truth() -> None:
    found = tried(sweeps(), "held_out").set_index("method")
    assert set(found.index) == set(METHODS)
    named = {method: found.loc[[method], "l0"].median() for method in METHODS}
    for method in ("verdict", "knee", "c_dec", "width", "coherence", "coherence_pursuit", "gain", "mcc"):
        assert named[method] == pytest.approx(0.99 * RIGHT, rel=0.2), method
    assert found.loc[["mcc"], "regret"].max() == 0
    assert found.loc[["verdict"], "low"].notna().all()


def test_an_sae_alone_counts_where_it_is_off_by_a_quarter() -> None:
    log_l0 = np.log([5.0, 9.9, 10.0, 20.0, 40.0])
    evidence = pd.DataFrame(
        {"log_l0": log_l0, "sign": [-1.0, 0.0, 0.0, 1.0, -1.0], "coherence_over_null": [3, 0, 0, 0, 3]}
    )
    one = Swept("a", "0.3 to 3", math.log(10), evidence, np.ones(5), NO_TABLE, NO_TABLE)
    found = alone_scores(
        [one], Score(0.0, {"sign": Piece([-1.0, 1.0], [-1.0, 1.0], [[-1.0, 1.0]])}, 0.5 / LEAST_ALONE, [0.0])
    )
    assert found["saes"] == 3
    assert found["named"] == 1
    assert found["right"] == pytest.approx(2 / 3)
    assert found["named_by_coherence"] == pytest.approx(2 / 3)
    assert found["right_by_coherence"] == pytest.approx(1 / 2)


def test_sweeps_beyond_the_right_l0_are_counted_by_what_the_verdict_is(monkeypatch: pytest.MonkeyPatch) -> None:
    truths = {"0.3 to 0.75": 20.0, "1.4 to 4": 2.0}
    evidence = pd.DataFrame({"log_l0": np.log([4.0, 6.0, 9.0]), "d_sae": 50})
    outcomes = [
        Verdict("combined", "edge", None, None, None, "edge", np.array([]), "above"),
        Verdict("combined", "inconclusive", None, None, None, "inconclusive", np.array([])),
        Verdict("combined", "estimate", 10.0, 8.0, 21.0, "about 10", np.array([])),
        Verdict("combined", "estimate", 10.0, 8.0, 12.0, "about 10", np.array([])),
    ]
    for name, truth in truths.items():
        said = iter([(outcome, pd.DataFrame()) for outcome in outcomes])
        monkeypatch.setattr("sbw.verdict.trials.weighed", lambda _, said=said: next(said))
        one = Swept("a", name, math.log(truth), evidence, np.ones(3), NO_TABLE, NO_TABLE)
        other = one._replace(range=next(each for each in BEYOND if each != name))
        monkeypatch.setattr("sbw.verdict.trials.BEYOND", {name: BEYOND[name]})
        found = beyond_scores([*[one] * 4, other])[name]
        assert found["sweeps"] == 4
        assert beyond_scores([other]) == {name: {"sweeps": 0}}
        right = "edge" if name == "0.3 to 0.75" else "wrong_edge"
        assert [found[each] for each in (right, "inconclusive")] == [0.25, 0.25]
        assert found["covered"] == (0.25 if name == "0.3 to 0.75" else 0)
        assert sum(share for each, share in found.items() if each != "sweeps") == 1
        monkeypatch.undo()
