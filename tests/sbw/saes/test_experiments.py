"""Each kind of experiment plans the SAEs that its params ask for."""

from importlib import import_module
from typing import Any

import pytest
import torch

from sbw.run.loading import load_params
from sbw.saes.experiments.planned import PlannedSae
from sbw.saes.transition import schedule_of
from sbw.synthesis.laws import build_toy
from sbw.toy.model import Toy
from tests.conftest import ROOT

PARAMS = load_params(ROOT)


@pytest.fixture(scope="module")
def toys() -> dict[str, Toy]:
    return {name: build_toy(PARAMS.toys[name]) for name in ("main", "five")}


def plan(name: str, toys: dict[str, Toy], **changes: Any) -> list[PlannedSae]:
    experiment = PARAMS.experiments[name].model_copy(update=changes)
    planned: list[PlannedSae] = import_module(f"sbw.saes.experiments.{experiment.kind}").plan(
        experiment, PARAMS.training, toys[experiment.toy]
    )
    assert len({sae.folder for sae in planned}) == len(planned), "each SAE has a folder of its own"
    return planned


def test_a_grid_from_random_weights_shares_one_stream(toys: dict[str, Toy]) -> None:
    planned = plan("superposition", toys, toy="main", ks=[5, 1.8], seeds=[0, 3])
    assert [one.keys for one in planned] == [{"k": k, "seed": seed} for k in (5, 1.8) for seed in (0, 3)]
    assert {one.stream_seed for one in planned} == {0}
    weights = [one.sae().W_dec for one in planned]
    assert torch.equal(weights[0], weights[2]), "weights come from the seed"
    assert not torch.equal(weights[0], weights[1])
    assert planned[2].sae().cfg.k == 1.8


def test_a_grid_from_the_truth_has_a_stream_a_seed(toys: dict[str, Toy]) -> None:
    planned = plan("finetune", toys, seeds=[0, 3])
    assert [one.stream_seed for one in planned] == [0, 3]
    torch.testing.assert_close(planned[1].sae().W_dec, toys["main"].features.feature_vectors)


def test_transitions_follow_their_ramps(toys: dict[str, Toy]) -> None:
    planned = plan("transition", toys, seeds=[7])
    assert [one.keys["initial_k"] for one in planned] == [20, 2, 2]
    schedules = [schedule_of(one.sae()) for one in planned]
    assert [schedule.end for schedule in schedules] == [11, 11, 11]
    assert schedules[0].ramp_from * 14_649 == pytest.approx(3_000, abs=1)
    assert schedules[0].ramp_to * 14_649 == pytest.approx(11_000, abs=1)
    assert [one.sae().cfg.training_steps for one in planned] == [14_649, 14_649, 30_000]
    assert schedules[2].ramp_to * 30_000 == pytest.approx(25_000, abs=1)


def test_jumprelu_is_the_papers(toys: dict[str, Toy]) -> None:
    planned = plan("jumprelu", toys, seeds=[0, 1])
    assert len(planned) == 24
    cfg = planned[0].sae().cfg
    assert (cfg.l0_coefficient, cfg.jumprelu_bandwidth, cfg.jumprelu_init_threshold) == (0.05, 2.0, 0.1)
    assert (cfg.jumprelu_sparsity_loss_mode, cfg.l0_warm_up_steps) == ("tanh", 10_000)
    assert cfg.normalize_activations == "expected_average_only_in"


def test_mixing_correlates_feature_0_and_starts_from_the_truth(toys: dict[str, Toy]) -> None:
    planned = plan("mixing_l0", toys, seeds=[0, 1])
    assert len(planned) == 2 * 4 * 2
    assert {(one.keys["rho"], one.keys["k"]) for one in planned} == {
        (rho, k) for rho in (-0.4, 0.4) for k in (1.7, 1.8, 1.9, 2.0)
    }
    for one in planned:
        matrix = one.toy.activations.correlation_matrix
        assert matrix is not None
        assert matrix[0, 1:].tolist() == pytest.approx([one.keys["rho"]] * 4, rel=1e-4)
        torch.testing.assert_close(one.sae().W_dec, toys["five"].features.feature_vectors)
    assert [one.stream_seed for one in planned[:2]] == [0, 1]
    assert planned[0].toy is planned[2].toy, "SAEs of one correlation and seed share a stream"
