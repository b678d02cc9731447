"""Toys drawn from a prior: by the seed and their place alone, within its ranges, with all its laws."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from sbw.params import Validation
from sbw.params.toys import Noise, ToyParams
from sbw.params.validation import Cell, KnownToy, Prior
from sbw.run.errors import UserError
from sbw.run.loading import load_document
from sbw.synthesis.laws import build_toy, firing_probabilities
from sbw.synthesis.prior import GREATEST_RATE, Known, toys_of
from tests.conftest import ROOT

PARAMS = Path(ROOT, "stages/validation/params.yaml")


@pytest.fixture(scope="module")
def params() -> Validation:
    return load_document(Validation, PARAMS)


@pytest.fixture(scope="module")
def prior(params: Validation) -> Prior:
    found = params.sets["calibration"].prior
    assert found
    return found


def drawn(params: Validation, first: int, end: int, **changed: Any) -> list[Known]:
    """Toys of the set `calibration`, with its prior changed."""
    of_set = params.sets["calibration"]
    assert of_set.prior
    other = of_set.model_copy(update={"prior": of_set.prior.model_copy(update=changed)})
    sets = {**params.sets, "calibration": other}
    return toys_of(params.model_copy(update={"sets": sets}), Cell(set="calibration", toys=(first, end)))


def test_the_same_seed_gives_the_same_toys_and_another_others(params: Validation) -> None:
    toys = drawn(params, 0, 20)
    assert drawn(params, 0, 20) == toys
    other = [known.toy for known in drawn(params, 0, 20, seed=99)]
    assert not any(known.toy in other for known in toys)
    assert len({known.toy.model_dump_json() for known in toys}) == 20


def test_a_toy_is_the_same_in_any_cell_and_of_any_number(params: Validation) -> None:
    toys = drawn(params, 0, 20)
    assert drawn(params, 13, 17) == toys[13:17]
    assert drawn(params, 0, 5, toys=5) == toys[:5]
    assert [known.name for known in toys[:2]] == ["calibration_0", "calibration_1"]


def within(value: float, ends: tuple[float, float], slack: float = 0.0) -> bool:
    return ends[0] - slack <= value <= ends[1] + slack


def assert_within(known: Known, prior: Prior, samples: int) -> None:
    toy, f = known.toy, known.toy.num_features
    rates = firing_probabilities(toy.firing, f)
    assert within(f, prior.num_features, 0.5)
    assert within(toy.d_in, (f * prior.width[0], f * prior.width[1]), 0.5)
    assert toy.latents == f or within(toy.latents, (f * prior.latents[0], f * prior.latents[1]), 0.5)
    assert within(rates.sum().item(), prior.true_l0, 1e-3)
    assert 0 < rates.min() <= rates.max() <= GREATEST_RATE + 1e-6
    assert within(toy.magnitude.std, prior.spread)
    assert within(known.training.samples, (samples * prior.length[0], samples * prior.length[1]), 0.5)
    if toy.noise:  # noise of a low rank is three times as strong along its few directions
        assert within(toy.noise.scale / (1 if toy.noise.law == "gaussian" else 3), prior.noise)


def test_toys_are_within_the_ranges(params: Validation, prior: Prior) -> None:
    for known in drawn(params, 0, 60):
        assert_within(known, prior, params.sets["calibration"].training.samples)


def test_toys_have_what_is_drawn_however_rates_differ(params: Validation) -> None:
    one = {"num_features": 40, "width": 0.8, "latents": 1.2, "true_l0": 4, "spread": 0.1, "noise": 0.05, "length": 1.5}
    for known in drawn(params, 0, 60, **{name: (value, value) for name, value in one.items()}, as_many=0, clean=0):
        toy = known.toy
        assert firing_probabilities(toy.firing, 40).sum().item() == pytest.approx(4, abs=1e-3)
        assert (toy.num_features, toy.d_in, toy.d_sae) == (40, 32, 48)
        assert toy.magnitude.std == pytest.approx(0.1)
        assert known.training.samples == round(1.5 * params.sets["calibration"].training.samples)
        assert toy.noise
        assert toy.noise.scale == pytest.approx(0.05 if toy.noise.law == "gaussian" else 0.15)


def test_the_ranges_are_used_to_near_their_ends(params: Validation, prior: Prior) -> None:
    toys = drawn(params, 0, 200)
    drawn_from: dict[tuple[float, float], list[float]] = {
        prior.num_features: [known.toy.num_features for known in toys],
        prior.width: [known.toy.d_in / known.toy.num_features for known in toys],
        prior.true_l0: [firing_probabilities(known.toy.firing, known.toy.num_features).sum().item() for known in toys],
    }
    for (least, most), values in drawn_from.items():
        share = (most / least) ** 0.1
        assert min(values) < least * share
        assert max(values) > most / share


def laws_of(toy: ToyParams) -> dict[str, Any]:
    """By kind, which law a toy has; firing by a line has two, since all may be alike."""
    alike = toy.firing.law == "linear" and toy.firing.max == toy.firing.min
    return {
        "firing": "alike" if alike else toy.firing.law,
        "magnitude": toy.magnitude.law,
        "correlation": toy.correlation.law,
        "noise": toy.noise and toy.noise.law,
        "hierarchy": toy.hierarchy is not None,
    }


def test_all_laws_occur_and_their_shares_are_the_priors(params: Validation, prior: Prior) -> None:
    toys = [known.toy for known in drawn(params, 0, 200)]
    found = [laws_of(toy) for toy in toys]
    assert {kind: {laws[kind] for laws in found} for kind in found[0]} == {
        "firing": {"alike", "linear", "zipf"},
        "magnitude": {"constant", "exponential", "folded_normal"},
        "correlation": {"none", "random", "low_rank"},
        "noise": {None, "gaussian", "low_rank"},
        "hierarchy": {False, True},
    }
    error = 4 * (0.25 / len(toys)) ** 0.5
    assert abs(sum(toy.noise is None for toy in toys) / len(toys) - prior.clean) < error
    assert abs(sum(toy.latents == toy.num_features for toy in toys) / len(toys) - prior.as_many) < error + 0.05


def test_listed_toys_are_taken_with_each_noise_in_order(params: Validation) -> None:
    of_set, names = params.sets["stress"], list(params.toys)
    listed = toys_of(params, Cell(set="stress", toys=(0, params.size("stress"))))
    assert [known.name for known in listed] == [*names, *(f"{name}_gaussian" for name in names)]
    assert of_set.noise[0] is None
    expected: list[tuple[KnownToy, Noise | None]] = [(toy, of) for of in of_set.noise for toy in params.toys.values()]
    assert [known.toy for known in listed] == [toy.model_copy(update={"noise": of}) for toy, of in expected]
    assert all(known.training == of_set.training for known in listed)
    assert toys_of(params, Cell(set="stress", toys=(len(names) - 1, len(names) + 1))) == listed[len(names) - 1 :][:2]


def test_no_toy_is_in_two_cells_and_every_drawn_one_is_in_one_unless_it_cannot_be_built(params: Validation) -> None:
    taken = [(cell.set, i) for cell in params.cells.values() for i in range(*cell.toys)]
    assert len(taken) == len({*taken})
    left_out = {(name, i) for name, of_set in params.sets.items() if of_set.prior for i in range(params.size(name))}
    left_out -= {*taken}
    assert {(name, i) for name, i in left_out if name == "calibration_large"} == {
        ("calibration_large", i) for i in (21, 34, 42)
    }
    assert {name for name, _ in left_out} == {"calibration_large", "held_out_large"}
    for i in (21, 42):  # 34 cannot be built by one thread, and can by two
        (known,) = toys_of(params, Cell(set="calibration_large", toys=(i, i + 1)))
        with pytest.raises(UserError, match="positive definite"):
            build_toy(known.toy, known.name)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (
            ("calibration", [0, 121]),
            ".toys` must satisfy 0 <= first < end <= 120, the toys of `sets.calibration`, got [0, 1",
        ),
        (("stress", [20, 25]), ".toys` must satisfy 0 <= first < end <= 24, the toys of `sets.stress`, got [20, 25]"),
        (("held_out", [5, 5]), ".toys` must satisfy 0 <= first < end <= 60, the toys of `sets.held_out`, got [5, 5]"),
        (("held_out", [-1, 5]), ".toys` must satisfy 0 <= first < end <= 60, the toys of `sets.held_out`, got [-1, 5]"),
        (
            ("lost", [0, 1]),
            ".set` must be one of: calibration, held_out, calibration_large, held_out_large, stress, got 'lost'",
        ),
    ],
)
def test_cells_that_no_set_has_are_refused(cell: tuple[str, list[int]], message: str) -> None:
    document = YAML(typ="safe").load(PARAMS)
    document["cells"]["tried"] = {"set": cell[0], "toys": cell[1]}
    with pytest.raises(ValidationError, match=re.escape(f"`cells.tried{message}")):
        Validation.model_validate(document)


def test_a_range_that_falls_is_refused() -> None:
    document = YAML(typ="safe").load(PARAMS)
    document["sets"]["held_out"]["prior"] = {**document["sets"]["held_out"]["prior"], "width": [2.0, 1.0]}
    with pytest.raises(ValidationError, match=re.escape("must ascend, got [2.0, 1.0]")):
        Validation.model_validate(document)
