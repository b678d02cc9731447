"""A claim holds where the tables bear it out, does not where they do not, and is not tested where they say nothing."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from sbw.params import Params
from sbw.report.claims import FAILS, HOLDS, NOT_TESTED, Claim, between, near
from sbw.report.results import Results
from sbw.report.story import tell
from tests.sbw.report.tables import PARAMS, results


def claims(of: Results) -> list[Claim]:
    return [claim for section in tell(of) for claim in section.claims]


def with_experiments(params: Params, **changes: Any) -> Params:
    """Params with sections of experiments changed, or gone where None."""
    sections = {
        name: section.model_copy(update=changes.get(name, {}))
        for name, section in params.experiments.items()
        if changes.get(name, {}) is not None
    }
    return params.model_copy(update={"experiments": sections})


def in_sweep(k: float, column: str, value: float) -> Callable[[Results], Results]:
    def spoil(good: Results) -> Results:
        return replace(good, saes={**good.saes, "sweep": changed(good.saes["sweep"], k, column, value)})

    return spoil


def in_experiment(name: str, column: str, value: float) -> Callable[[Results], Results]:
    def spoil(good: Results) -> Results:
        table = good.saes[name].copy()
        table.loc[table["variant"] == "trained", column] = value
        return replace(good, saes={**good.saes, name: table})

    return spoil


def mixed(name: str, change: Callable[[pd.DataFrame], Any]) -> Callable[[Results], Results]:
    def spoil(good: Results) -> Results:
        return replace(good, mixing={**good.mixing, name: good.mixing[name].assign(mixing=change)})

    return spoil


def changed(table: pd.DataFrame, k: float, column: str, value: float) -> pd.DataFrame:
    table = table.copy()
    table.loc[(table["k"] == k) & (table["variant"] == "trained"), column] = value
    return table


def raised(good: Results) -> Results:
    """s_n comes to its floor late for n = 24, by one seed."""
    table = good.projections.copy()
    table.loc[(table["n"] == 24) & (table["k"] == 17) & (table["seed"] == 1), "s_n"] = -2
    return replace(good, projections=table)


def test_every_claim_holds_where_the_paper_is_right() -> None:
    assert [claim for claim in claims(results()) if claim.verdict != HOLDS] == []


def test_the_verdict_is_a_truth_value() -> None:
    assert {type(claim.holds) for claim in claims(results())} == {bool}


SPOILED: list[tuple[Callable[[Results], Results], list[str]]] = [
    (lambda good: replace(good, toy_stats={**good.toy_stats, "true_l0": 11.01}), ["true L0 of the toy"]),
    (in_sweep(11, "mcc", 0.949), ["k = 11: MCC"]),
    (in_sweep(11, "variance_explained_about_zero", 0.97), ["k = 11: variance explained about zero"]),
    (in_sweep(11, "c_dec", 0.0101), ["k = 11: c_dec"]),
    (in_sweep(9, "c_dec", 0.015), ["k = 9: c_dec"]),
    (in_sweep(9, "mcc", 0.95), ["k = 9: MCC"]),
    (in_sweep(5, "mse", 2.4), ["k = 5: MSE, trained"]),
    (in_sweep(9, "mse", 1.7), ["k = 9: MSE, trained and true features"]),
    (in_sweep(14, "mse", 0.2), ["k = 14: MSE"]),
    (in_sweep(18, "mcc", 1.0), ["k = 18: MCC"]),
    (in_sweep(17, "c_dec", -1), ["k of the least c_dec"]),
    (in_sweep(17, "c_enc", -1), ["k of the least c_enc"]),
    (raised, ["first k with s_n within 0.01 of its least, n = 24"]),
    (
        in_sweep(3, "variance_explained_about_zero", 0.1),
        ["variance explained (about zero), trained above the true features"],
    ),
    (in_experiment("finetune", "mcc", 0.95), ["from the truth at k = 5: MCC"]),
    (in_experiment("finetune", "mse", 5), ["from the truth at k = 5: MSE, trained and true features"]),
    (
        in_experiment("transition", "mcc", 0.95),
        ["from below, 2 → 11 in 15,000,000 samples", "from below, 2 → 11 in 30,720,000 samples"],
    ),
    (in_experiment("transition", "mcc", 0.94), ["from above, 20 → 11 in 15,000,000 samples"]),
    (
        in_experiment("jumprelu", "true_l0", 14),
        ["JumpReLU: L0 of the least c_dec", "JumpReLU: coefficients that end within 1"],
    ),
    (mixed("mixing", lambda table: table["mixing"].abs()), ["mixing has the sign of ρ, |ρ| ≥ 0.2"]),
    (mixed("mixing", lambda table: table["mixing"].where(table["rho"] != 0, -0.021)), ["mixing at ρ = 0"]),
    (mixed("mixing_l0", lambda table: table["mixing"].where(table["k"] < 2, 0.03)), ["mixing at L0 = 2.0"]),
    (
        mixed("mixing_l0", lambda table: table["mixing"].where(table["k"] != 1.8, 0.5)),
        ["the lower L0, the more mixing"],
    ),
    (
        mixed("mixing_superposed", lambda table: -table["mixing"]),
        ["five features in superposition: sign of ρ"],
    ),
    (
        lambda good: replace(
            good, saes={**good.saes, "superposition": changed(good.saes["superposition"], 13, "c_dec", -1)}
        ),
        ["k of the least c_dec, 50 features in 40 dimensions"],
    ),
    (mixed("mixing_zipf", lambda table: -table["mixing"]), ["firing rates by Zipf's law: sign of ρ"]),
    (
        lambda good: replace(good, recommendation={**good.recommendation, "l0": 9.9}),
        ["L0 that the sweep recommends"],
    ),
    (
        lambda good: replace(good, automatic=good.automatic.replace({"l0": {10.8: 12.0}})),
        ["L0 that moves itself, from 3", "L0 that moves itself, from 25"],
    ),
    (
        lambda good: replace(good, pretrained=good.pretrained.assign(l0=lambda table: table["l0"] + 1)),
        ["median L0", "gemma-2-2b: mean L0", "gemma-2-2b: median L0"],
    ),
]


@pytest.mark.parametrize(("spoil", "expected"), SPOILED, ids=[expected[0] for _, expected in SPOILED])
def test_a_claim_fails_alone(spoil: Callable[[Results], Results], expected: list[str]) -> None:
    spoiled = claims(spoil(results()))
    failing = [claim.what for claim in spoiled if claim.verdict == FAILS]
    assert failing == expected
    assert all(claim.holds is not None for claim in spoiled)


def test_one_seed_below_is_enough_where_every_seed_must_recover() -> None:
    good = results()
    table = good.saes["transition"].copy()
    table.loc[(table["initial_k"] == 20) & (table["seed"] == 1), "mcc"] = 0.5
    claim = next(c for c in claims(replace(good, saes={**good.saes, "transition": table})) if "from above" in c.what)
    assert claim.holds is False
    assert claim.ours == "1 of 2 seeds; MCC 0.7450 (0.5000 to 0.9900, 2 seeds)"


def test_ours_is_the_mean_with_its_range_over_the_seeds() -> None:
    (claim,) = (claim for claim in claims(results()) if claim.what == "k = 9: MCC")
    assert claim.ours == "0.9398 (0.9396 to 0.9400, 2 seeds)"


def test_n_that_agree_share_a_row() -> None:
    rows = [claim for claim in claims(raised(results())) if claim.what.startswith("first k with s_n")]
    assert [(claim.what.rpartition("n = ")[2], claim.ours) for claim in rows] == [
        ("12–23", "11 (11 to 11 by single seeds, 2 seeds)"),
        ("24", "17 (11 to 17 by single seeds, 2 seeds)"),
        ("25", "11 (11 to 11 by single seeds, 2 seeds)"),
    ]


def test_a_short_sweep_tests_little() -> None:
    short = PARAMS.model_copy(update={"sweep": PARAMS.sweep.model_copy(update={"cells": {"near": [9.0, 11.0]}})})
    params = with_experiments(
        short,
        superposition={"ks": [9.0, 11.0]},
        jumprelu={"l0_coefficients": [0.1, 1.0]},
        mixing={"rhos": [-0.4, 0.4]},
    )
    untested = [claim.what for claim in claims(results(params)) if claim.verdict == NOT_TESTED]
    assert untested == [
        "k = 5: MSE, trained",
        "k = 5: MSE, true features",
        "k = 14: MSE",
        "k = 14: MCC",
        "k = 18: MSE",
        "k = 18: MCC",
        "k of the least c_dec",
        "k of the least c_enc",
        "first k with s_n within 0.01 of its least, n = 12–25",
        "JumpReLU: L0 of the least c_dec",
        "JumpReLU: coefficients that end within 1",
        "mixing at ρ = 0",
        "k of the least c_dec, 50 features in 40 dimensions",
    ]


def test_without_experiments_their_claims_are_not_tested() -> None:
    params = PARAMS.model_copy(update={"experiments": {}})
    found = claims(results(params))
    assert not [claim for claim in found if claim.verdict == FAILS]
    untested = {claim.what for claim in found if claim.verdict == NOT_TESTED}
    assert {"from above to 11", "from below to 11", "mixing at L0 = 2.0"} <= untested


def test_a_sweep_that_recommends_nothing_tests_nothing() -> None:
    found = claims(replace(results(), recommendation={**results().recommendation, "l0": None}))
    assert [claim.verdict for claim in found if claim.what == "L0 that the sweep recommends"] == [NOT_TESTED]


def test_an_l0_that_moves_itself_from_elsewhere_tests_nothing() -> None:
    section = PARAMS.automatic_l0.model_copy(update={"starts": [5.0]})
    found = claims(results(PARAMS.model_copy(update={"automatic_l0": section})))
    assert [claim.verdict for claim in found if "moves itself" in claim.what] == [NOT_TESTED] * 2


def test_other_public_saes_test_nothing() -> None:
    chosen = PARAMS.collect_l0.model_copy(update={"models": ["gemma*"]})
    found = claims(results(PARAMS.model_copy(update={"collect_l0": chosen})))
    assert [claim.verdict for claim in found if claim.what == "median L0"] == [NOT_TESTED]


def test_an_experiment_of_another_kind_is_not_the_papers() -> None:
    params = PARAMS.model_copy(update={"experiments": {"mixing": PARAMS.experiments["finetune"]}})
    assert [c.verdict for c in claims(results(params)) if c.what == "mixing at ρ = 0"] == [NOT_TESTED]


def test_from_random_weights_is_not_from_the_truth() -> None:
    params = with_experiments(PARAMS, finetune={"start": "random"})
    assert [c.verdict for c in claims(results(params)) if c.what == "from the truth at k = 5: MCC"] == [NOT_TESTED]


def test_tolerances_include_their_ends() -> None:
    assert near(10.9525, 0.05).holds(11.0025)
    assert between(2.5, 2.9).holds(2.9)
    assert not between(2.5, 2.9).holds(2.91)
