"""k moves as its schedule says, in SAELens's trainer and in ours, and reaches its target or is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from sae_lens import SAE as AnySAE
from sae_lens import TrainingSAE

from sbw.saes.disk import save_sae
from sbw.saes.schedule import KSchedule
from sbw.saes.transition import TransitionTrainingSAE, TransitionTrainingSAEConfig, schedule_of
from sbw.saes.untrained import initial_transition_sae
from sbw.toy.model import Toy
from tests.sbw.lockstep.trainers import (
    batches,
    batchtopk,
    in_float64,
    largest_difference,
    trained_by_saelens,
    trained_in_lockstep,
)

DOWN = KSchedule(20, 11, ramp_from=0.2, ramp_to=0.7)


def transition(schedule: KSchedule = DOWN, steps: int = 60) -> TransitionTrainingSAE:
    return initial_transition_sae(schedule, steps, d_in=100, d_sae=50, seed=0)


@pytest.mark.parametrize("schedule", [DOWN, KSchedule(2, 11, 0.0, 0.8333)])
def test_lockstep_trains_it_as_saelens_does(toy: Toy, schedule: KSchedule) -> None:
    data, sae = batches(toy, 60, dtype=torch.float64), in_float64(transition(schedule))
    ours, fixed = trained_in_lockstep([sae], data)[0], trained_in_lockstep([in_float64(batchtopk(11, seed=0))], data)[0]
    theirs = trained_by_saelens(sae, data)
    assert largest_difference(theirs, ours) < 1e-9
    assert largest_difference(theirs, fixed) > 1e-3, "the test is about a k that moves"


def test_k_at_each_step_of_saelens_trainer(toy: Toy) -> None:
    sae, seen = transition(), []
    trained_by_saelens(sae, batches(toy, 60), each_step=lambda trainer: seen.append(trainer.sae.activation_fn.k))
    assert seen == pytest.approx([DOWN.at(step / 60) for step in range(60)])
    assert (seen[0], seen[12], seen[-18], seen[-1]) == (20, 20, 11, 11)


def test_saelens_saves_and_loads_it(tmp_path: Path) -> None:
    sae = transition()
    sae.save_model(tmp_path / "training")
    loaded = TrainingSAE.load_from_disk(tmp_path / "training")
    assert isinstance(loaded, TransitionTrainingSAE)
    assert schedule_of(loaded) == DOWN
    assert torch.equal(loaded.W_dec, sae.W_dec)
    save_sae(sae, tmp_path / "inference")
    assert AnySAE.load_from_disk(tmp_path / "inference").cfg.architecture() == "jumprelu"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ramp_to": 1.0}, "`ramp_to` must be lower, got 1.0: k must be 11 at the last of 60 steps"),
        ({"ramp_from": 0.8, "ramp_to": 0.7}, "`ramp_from` < `ramp_to`"),
        ({"training_steps": 0}, "`training_steps` must be the steps of the whole training, got 0"),
    ],
)
def test_a_schedule_that_does_not_end_is_refused(options: dict[str, Any], message: str) -> None:
    settings = {"d_in": 100, "d_sae": 50, "k": 11, "initial_k": 20, "training_steps": 60, "ramp_to": 0.7, **options}
    with pytest.raises(ValueError, match=message):
        TransitionTrainingSAEConfig(**settings)


def test_a_training_of_another_length_is_refused(toy: Toy) -> None:
    with pytest.raises(ValueError, match=r"`training_steps` must be the steps trained \(50\), got 60"):
        trained_in_lockstep([transition()], batches(toy, 50))
