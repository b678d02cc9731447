"""A claim holds where the tables bear it out, does not where they do not, and is not tested where they say nothing."""

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from operator import getitem
from typing import Any

import pandas as pd
import pytest
from pydantic import BaseModel

from sbw.params import Params
from sbw.report.claim import Claim, between, near
from sbw.report.claims import all_claims
from sbw.report.results import Results
from tests.sbw.report.tables import PARAMS, results


def claims(of: Results) -> list[Claim]:
    return [claim for of_section in all_claims(of).values() for claim in of_section]


def claim(of: Results, what: str) -> Claim:
    (found,) = (claim for claim in claims(of) if claim.what == what)
    return found


def with_params(values: dict[str, Any]) -> Params:
    """The default params with other values, by dotted name, as a user would have them: checked."""
    document = PARAMS.model_dump()
    for name, value in values.items():
        *path, key = name.split(".")
        reduce(getitem, path, document)[key] = value.model_dump() if isinstance(value, BaseModel) else value
    for figure in ("cosine_heatmaps", "histograms", "low_l0_mse"):  # they show SAEs of the sweep
        document["figures"]["sweep"][figure]["ks"] = next(iter(document["sweep"]["cells"].values()))[:1]
    return Params.model_validate(document)


def in_sweep(k: float, column: str, value: float) -> Callable[[Results], Results]:
    return in_experiment("sweep", column, value, k)


def in_experiment(name: str, column: str, value: float, k: float | None = None) -> Callable[[Results], Results]:
    def spoil(good: Results) -> Results:
        table = good.saes[name].copy()
        of_k = True if k is None else table["k"] == k
        table.loc[(table["variant"] == "trained") & of_k, column] = value
        return replace(good, saes={**good.saes, name: table})

    return spoil


def mixed(name: str, change: Callable[[pd.DataFrame], Any]) -> Callable[[Results], Results]:
    return lambda good: replace(good, mixing={**good.mixing, name: good.mixing[name].assign(mixing=change)})


def raised(good: Results) -> Results:
    """s_n comes to its floor late for n = 24, by one seed."""
    table = good.projections.copy()
    table.loc[(table["n"] == 24) & (table["k"] == 17) & (table["seed"] == 1), "s_n"] = -2
    return replace(good, projections=table)


def test_every_claim_holds_where_the_paper_is_right() -> None:
    assert [claim for claim in claims(results()) if not claim.holds] == []


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
    (mixed("mixing_superposed", lambda table: -table["mixing"]), ["five features in superposition: sign of ρ"]),
    (in_experiment("superposition", "c_dec", -1, k=13), ["k of the least c_dec, 50 features in 40 dimensions"]),
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
    failing = [claim.what for claim in spoiled if claim.holds is False]
    assert failing == expected
    assert all(claim.holds is not None for claim in spoiled)


def test_one_seed_below_is_enough_where_every_seed_must_recover() -> None:
    good = results()
    table = good.saes["transition"].copy()
    table.loc[(table["initial_k"] == 20) & (table["seed"] == 1), "mcc"] = 0.5
    found = claim(replace(good, saes={**good.saes, "transition": table}), "from above, 20 → 11 in 15,000,000 samples")
    assert (found.holds, found.ours) == (False, "1 of 2 seeds; MCC 0.7450 (0.5000 to 0.9900, 2 seeds)")


@pytest.mark.parametrize(
    ("what", "ours"),
    [
        ("k = 9: MCC", "0.9398 (0.9396 to 0.9400, 2 seeds)"),
        ("L0 that the sweep recommends", "11.02 (90 % interval 10.10 to 11.90, 2 seeds)"),
    ],
)
def test_ours_is_the_number_with_its_spread(what: str, ours: str) -> None:
    assert claim(results(), what).ours == ours


def test_n_that_agree_share_a_row() -> None:
    rows = [claim for claim in claims(raised(results())) if claim.what.startswith("first k with s_n")]
    assert [(claim.what.rpartition("n = ")[2], claim.ours) for claim in rows] == [
        ("12–23", "11 (11 to 11 by single seeds, 2 seeds)"),
        ("24", "17 (11 to 17 by single seeds, 2 seeds)"),
        ("25", "11 (11 to 11 by single seeds, 2 seeds)"),
    ]


OF_SWEEP = {"The right L0", "Too low", "MSE at low L0", "Too high", "The sweep", "The trade-off that misleads"}
ON_MAIN = {"From the truth", "Transitions", "JumpReLU"}
FIVES = {"Five features", "Superposition", "Not in the paper"}
L0 = {"Which L0, then"}
OF_MAIN = {"Set-up"} | OF_SWEEP | ON_MAIN | L0
DEVIATIONS: list[tuple[dict[str, Any], set[str], str]] = [
    ({"sweep.toy": "superposed"}, {"Set-up"} | OF_SWEEP | L0, "sweep.toy is superposed: its d_in is 40, not 100"),
    ({"toys.main.magnitude.std": 0.3}, OF_MAIN, "is main: its magnitude.std is 0.3, not 0.15"),
    ({"toys.main.correlation.seed": 7}, OF_MAIN, "is main: its correlation.seed is 7, not 42"),
    ({"toys.main.correlation": {"law": "none"}}, OF_MAIN, "its correlation.law is none, not"),
    ({"toys.five.firing.min": 0.3}, {"Five features"}, "toy is five: its firing.min is 0.3, not 0.4"),
    ({"toys.five_zipf.firing.exponent": 2.0}, {"Not in the paper"}, "its firing.exponent is 2, not 1"),
    ({"sweep.d_sae": 40}, OF_SWEEP | L0, "sweep.d_sae is 40, not 50"),
    ({"training.samples": 65_536}, OF_SWEEP | ON_MAIN - {"Transitions"} | FIVES | L0, "samples is 65536, less"),
    ({"training.lr": 1e-3}, OF_SWEEP | ON_MAIN | FIVES | L0, "training.lr is 0.001, not 0.0003"),
    ({"training.batch_size": 512}, OF_SWEEP | ON_MAIN | FIVES | L0, "training.batch_size is 512, not 1024"),
    ({"synthesize.eval_samples": 2000}, OF_MAIN | FIVES, "eval_samples is 2000, less than 1000"),
    ({"experiments.finetune.toy": "superposed"}, {"From the truth"}, "finetune.toy is superposed: its d_in is 40"),
    ({"experiments.finetune.start": "random"}, {"From the truth"}, "experiments.finetune.start is random, not truth"),
    ({"experiments.transition.d_sae": 40}, {"Transitions"}, "experiments.transition.d_sae is 40, not 50"),
    ({"experiments.jumprelu.bandwidth": 0.5}, {"JumpReLU"}, "experiments.jumprelu.bandwidth is 0.5, not 2"),
    ({"experiments.jumprelu.l0_coefficients": [0.1, 1.0]}, {"JumpReLU"}, "l0_coefficients is [0.1, 1], not [0.05"),
    ({f"experiments.{n}.toy": "five_zipf" for n in ("mixing", "mixing_l0")}, {"Five features"}, "is five_zipf"),
    ({"experiments.superposition.toy": "main"}, {"Superposition"}, "superposition.toy is main: its d_in is 100"),
    ({"automatic_l0.d_sae": 60}, L0, "automatic_l0.d_sae is 60, not 50"),
    ({"collect_l0.models": ["gemma*"]}, {"Public SAEs"}, 'collect_l0.models is ["gemma*"], not ["*"]'),
    ({"collect_l0.require_neuronpedia": False}, {"Public SAEs"}, "require_neuronpedia is false, not true"),
]


@pytest.mark.parametrize(("values", "sections", "reason"), DEVIATIONS, ids=[reason for *_, reason in DEVIATIONS])
def test_other_params_than_the_papers_test_nothing(values: dict[str, Any], sections: set[str], reason: str) -> None:
    found = all_claims(wrong_everywhere(with_params(values)))
    reasons = {title: [claim.reason for claim in of_one if claim.holds is None] for title, of_one in found.items()}
    assert {title for title in reasons if reasons[title]} == sections
    assert all(reason in given for of_section in reasons.values() for given in of_section)


def wrong_everywhere(params: Params) -> Results:
    """Tables in which no claim on trained SAEs holds."""
    found = results(params)
    saes = {name: table.assign(mcc=0.0, mse=9.0, c_dec=-table["k"].fillna(0), c_enc=-table["k"].fillna(0))
            for name, table in found.saes.items()}  # fmt: skip
    mixing = {name: table.assign(mixing=0.5) for name, table in found.mixing.items()}
    return replace(found, saes=saes, mixing=mixing, toy_stats={**found.toy_stats, "true_l0": 5.0})


def test_the_default_params_test_every_claim() -> None:
    assert [claim for claim in claims(wrong_everywhere(PARAMS)) if claim.holds is None] == []


def test_what_deviates_is_measured_all_the_same() -> None:
    found = claim(results(with_params({"sweep.d_sae": 40})), "k = 9: MCC")
    assert (found.ours, found.holds) == ("0.9398 (0.9396 to 0.9400, 2 seeds)", None)


def test_more_samples_than_the_papers_are_its_test_too() -> None:
    more = with_params({"training.samples": 20_000_000, "synthesize.eval_samples": 200_000})
    assert all(claim.holds for claim in claims(results(more)))


RAMP = PARAMS.experiments["transition"].model_dump()["ramps"][0]
ANOTHER = "experiments.transition.ramps has another one: k is 12, not 11"
AROUND = "has no values below 10, from there to 12, and above"
MISSING: list[tuple[dict[str, Any], dict[str, str]]] = [
    (
        {"sweep.cells": {"near": [9.0, 11.0]}},
        {
            **{f"k = 5: MSE, {whose}": "sweep.cells has no 5" for whose in ("trained", "true features")},
            **{f"k = {k}: {metric}": f"sweep.cells has no {k}" for k in (14, 18) for metric in ("MSE", "MCC")},
            "k of the least c_dec": f"sweep.cells {AROUND}",
            "k of the least c_enc": f"sweep.cells {AROUND}",
            "first k with s_n within 0.01 of its least, n = 12–25": f"sweep.cells {AROUND}",
            "L0 that the sweep recommends": f"sweep.cells {AROUND}",
        },
    ),
    (
        {"experiments.superposition.ks": [9.0, 11.0]},
        {"k of the least c_dec, 50 features in 40 dimensions": f"experiments.superposition.ks {AROUND}"},
    ),
    (
        {"experiments.mixing.rhos": [-0.4, 0.4]},
        {"mixing at ρ = 0": "experiments.mixing has no rho of 0, or no k from 1.7 to 2"},
    ),
    (
        {"experiments.mixing_l0.ks": [1.8]},
        {
            "mixing at L0 = 2.0": "experiments.mixing_l0 has no k of 2, or no |rho| ≥ 0.2",
            "the lower L0, the more mixing": "experiments.mixing_l0 has no two k from 1.7 to 2, or no |rho| ≥ 0.2",
        },
    ),
    (
        {"automatic_l0.starts": [5.0]},
        {f"L0 that moves itself, from {start}": f"automatic_l0.starts has no {start}" for start in (3, 25)},
    ),
    (
        {"experiments.transition.ramps": [{**RAMP, "initial_k": 20.0, "k": 12.0}]},
        {
            "from above, 20 → 12 in 15,000,000 samples": ANOTHER,
            "from below to 11": "experiments.transition.ramps has none from below",
            "every ramp is over before the training": ANOTHER,
        },
    ),
    (
        {"experiments": {name: PARAMS.experiments[name] for name in PARAMS.experiments if name != "finetune"}},
        {
            "from the truth at k = 5: MCC": "experiments.finetune is missing",
            "from the truth at k = 5: MSE, trained and true features": "experiments.finetune is missing",
        },
    ),
    (
        {"experiments.finetune": PARAMS.experiments["jumprelu"]},
        {
            f"from the truth at k = 5: {what}": "experiments.finetune.kind is jumprelu, not grid"
            for what in ("MCC", "MSE, trained and true features")
        },
    ),
]


@pytest.mark.parametrize(
    ("values", "expected"), MISSING, ids=[next(iter(expected.values())) for _, expected in MISSING]
)
def test_missing_values_test_nothing(values: dict[str, Any], expected: dict[str, str]) -> None:
    found = claims(results(with_params(values)))
    assert {claim.what: claim.reason for claim in found if claim.holds is None} == expected
    assert all(claim.holds for claim in found if claim.what not in expected)


def test_a_sweep_that_covers_the_right_l0_and_recommends_none_does_not_recommend_it() -> None:
    flat = replace(results(), recommendation={**results().recommendation, "l0": None, "verdict": "flat"})
    assert claim(flat, "L0 that the sweep recommends")[2:5] == ("none: flat", "± 1", False)


def test_tolerances_include_their_ends() -> None:
    assert near(10.9525, 0.05).holds(11.0025)
    assert between(2.5, 2.9).holds(2.9)
    assert not between(2.5, 2.9).holds(2.91)
