"""Each kind of experiment plans the SAEs that its params ask for."""

from importlib import import_module
from typing import Any

import pytest
import torch

from sbw.run.loading import load_params
from sbw.saes.experiments.cell import Cell
from sbw.saes.transition import schedule_of
from sbw.synthesis.laws import build_toy
from sbw.toy.model import Toy
from tests.conftest import ROOT

PARAMS = load_params(ROOT)


@pytest.fixture(scope="module")
def toys() -> dict[str, Toy]:
    return {name: build_toy(PARAMS.toys[name]) for name in ("main", "five")}


def plan(name: str, toys: dict[str, Toy], **changes: Any) -> list[Cell]:
    experiment = PARAMS.experiments[name].model_copy(update=changes)
    cells: list[Cell] = import_module(f"sbw.saes.experiments.{experiment.kind}").cells(
        experiment, PARAMS.training, toys[experiment.toy]
    )
    assert len({cell.folder for cell in cells}) == len(cells), "each SAE has a folder of its own"
    return cells


def test_a_grid_from_random_weights_shares_one_stream(toys: dict[str, Toy]) -> None:
    cells = plan("superposition", toys, toy="main", ks=[5, 1.8], seeds=[0, 3])
    assert [cell.keys for cell in cells] == [{"k": k, "seed": seed} for k in (5, 1.8) for seed in (0, 3)]
    assert {cell.stream_seed for cell in cells} == {0}
    weights = [cell.sae().W_dec for cell in cells]
    assert torch.equal(weights[0], weights[2]), "weights come from the seed"
    assert not torch.equal(weights[0], weights[1])
    assert cells[2].sae().cfg.k == 1.8


def test_a_grid_from_the_truth_has_a_stream_a_seed(toys: dict[str, Toy]) -> None:
    cells = plan("finetune", toys, seeds=[0, 3])
    assert [cell.stream_seed for cell in cells] == [0, 3]
    torch.testing.assert_close(cells[1].sae().W_dec, toys["main"].features.feature_vectors)


def test_transitions_follow_their_ramps(toys: dict[str, Toy]) -> None:
    cells = plan("transition", toys, seeds=[7])
    assert [cell.keys["initial_k"] for cell in cells] == [20, 2, 2]
    schedules = [schedule_of(cell.sae()) for cell in cells]
    assert [schedule.end for schedule in schedules] == [11, 11, 11]
    assert schedules[0].ramp_from * 14_649 == pytest.approx(3_000, abs=1)
    assert schedules[0].ramp_to * 14_649 == pytest.approx(11_000, abs=1)
    assert [cell.sae().cfg.training_steps for cell in cells] == [14_649, 14_649, 30_000]
    assert schedules[2].ramp_to * 30_000 == pytest.approx(25_000, abs=1)


def test_jumprelu_is_the_papers(toys: dict[str, Toy]) -> None:
    cells = plan("jumprelu", toys, seeds=[0, 1])
    assert len(cells) == 24
    cfg = cells[0].sae().cfg
    assert (cfg.l0_coefficient, cfg.jumprelu_bandwidth, cfg.jumprelu_init_threshold) == (0.05, 2.0, 0.1)
    assert (cfg.jumprelu_sparsity_loss_mode, cfg.l0_warm_up_steps) == ("tanh", 10_000)
    assert cfg.normalize_activations == "expected_average_only_in"


def test_mixing_correlates_feature_0_and_starts_from_the_truth(toys: dict[str, Toy]) -> None:
    cells = plan("mixing_l0", toys, seeds=[0, 1])
    assert len(cells) == 2 * 4 * 2
    assert {(cell.keys["rho"], cell.keys["k"]) for cell in cells} == {
        (rho, k) for rho in (-0.4, 0.4) for k in (1.7, 1.8, 1.9, 2.0)
    }
    for cell in cells:
        matrix = cell.toy.activations.correlation_matrix
        assert matrix is not None
        assert matrix[0, 1:].tolist() == pytest.approx([cell.keys["rho"]] * 4, rel=1e-4)
        torch.testing.assert_close(cell.sae().W_dec, toys["five"].features.feature_vectors)
    assert [cell.stream_seed for cell in cells[:2]] == [0, 1]
    assert cells[0].toy is cells[2].toy, "SAEs of one correlation and seed share a stream"
