"""A recommendation has one verdict per metric and one of all together, as words, document and table."""

import pandas as pd
import pytest

from sbw.run.errors import UserError
from sbw.verdict.recommendation import CURVES, SENSITIVITY, recommend
from tests.sbw.verdict.sweeps import KS, RIGHT, coded, pairs, projections, saes


def test_all_metrics_of_a_clear_sweep_name_its_l0() -> None:
    found = recommend(saes(), projections(), pairs())
    assert [verdict.metric for verdict in found.verdicts] == ["c_dec", "w_3", "stability", "combined"]
    for verdict in found.verdicts:
        assert verdict.kind == "minimum"
        assert verdict.l0 == pytest.approx(0.99 * RIGHT, rel=0.05)
    assert found.l0 == found.verdicts[-1].l0


def test_every_metric_is_against_the_l0_achieved() -> None:
    for rows in recommend(saes(), projections(), pairs()).metrics.values():
        assert sorted(rows["l0"].unique()) == pytest.approx([0.99 * k for k in KS])


def test_one_seed_has_no_stability() -> None:
    one = projections()
    found = recommend(saes((0,)), one[one["seed"] == 0], pairs().iloc[:0])
    assert list(found.metrics) == ["c_dec", "w_3"]


def test_the_document_has_the_combined_verdict_with_the_others_below() -> None:
    document = recommend(saes(), projections(), pairs()).document
    assert list(document) == ["verdict", "l0", "low", "high", "level", "words", "metrics"]
    assert list(document["metrics"]) == ["c_dec", "w_3", "stability"]
    assert document["metrics"]["c_dec"]["words"].startswith("c_dec has its minimum at L0 7.92 (90 % interval ")
    assert document["level"] == document["metrics"]["c_dec"]["level"] == 0.9


def test_two_seeds_leave_the_agreement_without_the_spread_of_seeds() -> None:
    words = recommend(saes(), pairs=pairs()).words.splitlines()
    assert words[1].endswith(", without the spread of seeds: too few).")


def test_tables_have_their_schemas_columns() -> None:
    found = recommend(saes().assign(true_l0=7.9), projections(), pairs())
    assert list(found.curves.columns) == CURVES.names
    assert list(found.sensitivity.columns) == SENSITIVITY.names
    assert len(found.curves) == 3 * len(KS) * 2
    assert found.curves["true_l0"].unique() == [7.9]
    assert b"90 % interval" in CURVES.field("low").metadata[b"description"]


def test_l0_and_c_dec_are_enough() -> None:
    found = recommend(saes((0,))[["l0", "c_dec", "d_in"]])
    assert found.l0 == pytest.approx(0.99 * RIGHT, rel=0.05)
    assert found.curves["true_l0"].isna().all()


def test_the_words_of_an_inconclusive_sweep_are_given_once() -> None:
    assert recommend(saes().iloc[:4]).words == "inconclusive: c_dec needs at least 3 different L0s, got 2."


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (saes()[["k", "l0"]], "`saes` must have the columns c_dec, d_in, l0; missing: c_dec, d_in"),
        (saes().assign(l0=[-3.0] + [1.0] * 13), "`saes`: `l0` must be above 0, got -3.0"),
        (saes().assign(c_dec=[float("nan")] + [0.1] * 13), "`saes`: `c_dec` must be known in every row"),
        (saes().iloc[:0], "`saes` has no rows"),
        (saes().assign(l0=[float("nan")] + [1.0] * 13), "`saes`: `l0` must be above 0, got nan"),
    ],
)
def test_a_table_that_cannot_be_judged_is_refused(table: pd.DataFrame, message: str) -> None:
    with pytest.raises(UserError) as error:
        recommend(table)
    assert str(error.value) == message


def test_codes_without_what_belongs_to_them_are_refused_by_their_columns() -> None:
    with pytest.raises(UserError, match=r"missing: dead_latents$"):
        recommend(coded().drop(columns="dead_latents"), projections())


def test_projections_need_the_errors_that_give_their_unit() -> None:
    with pytest.raises(UserError, match="missing: mse, variance_explained_about_zero"):
        recommend(saes()[["k", "seed", "l0", "c_dec", "d_in"]], projections())
