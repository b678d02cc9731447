"""Training on a toy is SAELens's toy loop, from the seeds alone."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from sae_lens import TrainingSAE
from sae_lens.synthetic import train_toy_sae

from sbw.lockstep.toys import train_on_toy, train_planned
from sbw.lockstep.trainer import CurvePoint
from sbw.params.training import Training
from sbw.run.errors import UserError
from sbw.run.loading import load_params
from sbw.saes.disk import load_sae, save_sae
from sbw.saes.experiments.planned import PlannedSae
from sbw.saes.untrained import initial_sae, true_sae
from sbw.synthesis.laws import build_toy
from sbw.toy.generators import drawing_from, seeded
from sbw.toy.model import Toy, with_hub
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def train() -> Training:
    return load_params(ROOT).training.model_copy(update={"samples": 10_000, "batch_size": 256})


def trained(saes: list[TrainingSAE[Any]], toy: Toy, train: Training) -> list[CurvePoint]:
    stream, names = toy.stream(train.batch_size, seeded(train.stream_seed)), [f"number {i}" for i in range(len(saes))]
    return train_on_toy(saes, stream, train, "test", names=names, samples=train.samples, log_every=10)


def test_trains_as_saelens_does(toy: Toy, train: Training) -> None:
    ours, theirs = initial_sae(5, 100, 50, 1), initial_sae(5, 100, 50, 1)
    trained([ours], toy, train)
    with drawing_from(seeded(train.stream_seed)):
        train_toy_sae(theirs, toy.features, toy.activations, train.samples, train.batch_size, train.lr)
    for name, weights in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], weights, atol=2e-5, rtol=1e-4)


def test_the_last_batch_is_a_full_one(toy: Toy, train: Training) -> None:
    points = trained([initial_sae(5, 100, 50, 0)], toy, train)
    assert [point.step for point in points] == [10, 20, 30, 40]


def test_the_stream_has_a_seed_of_its_own(toy: Toy, train: Training) -> None:
    saes = [initial_sae(5, 100, 50, 0) for _ in range(3)]
    for sae, stream_seed in zip(saes, (0, 0, 1), strict=True):
        trained([sae], toy, train.model_copy(update={"stream_seed": stream_seed}))
    assert torch.equal(saes[0].W_dec, saes[1].W_dec)
    assert not torch.equal(saes[0].W_dec, saes[2].W_dec)


@pytest.mark.parametrize("processors", [1, 2, 8])
def test_each_sae_is_trained_on_its_stream_whichever_process_trains_it(
    toy: Toy, train: Training, processors: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sbw.lockstep.toys.processors", lambda: processors)
    other = with_hub(toy, 0.1)
    planned = [
        PlannedSae({"rho": i, "seed": seed}, partial(initial_sae, 5, 100, 50, seed), its_toy, stream_seed, samples)
        for i, (its_toy, stream_seed, samples) in enumerate([(toy, 0, 5_000), (toy, 1, 5_000), (other, 0, 2_560)])
        for seed in (0, 1)
    ]
    train_planned(planned, train, lambda sae: tmp_path / sae.folder, "test")
    for one in planned:
        alone = one.sae()
        trained([alone], one.toy, train.model_copy(update={"stream_seed": one.stream_seed, "samples": one.samples}))
        save_sae(alone, tmp_path / "alone")
        assert torch.equal(load_sae(tmp_path / one.folder).W_dec, load_sae(tmp_path / "alone").W_dec)


@pytest.mark.parametrize("processors", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 2, 5, 23])
def test_small_saes_with_streams_of_their_own_are_as_if_alone(
    train: Training, processors: int, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sbw.lockstep.toys.processors", lambda: processors)
    five = build_toy(load_params(ROOT).toys["five"])
    toys = [with_hub(five, rho) for rho in (-0.4, 0.3)]
    planned = [
        PlannedSae({"i": i}, partial(true_sae, 1 + i / 20, five.features), toys[i % 2], i, (2_560, 1_280)[i % 3 == 2])
        for i in range(count)
    ]
    train_planned(planned, train, lambda sae: tmp_path / sae.folder, "test")
    for one in planned:
        alone = one.sae()
        trained([alone], one.toy, train.model_copy(update={"stream_seed": one.stream_seed, "samples": one.samples}))
        save_sae(alone, tmp_path / "alone")
        for name, weights in load_sae(tmp_path / "alone").state_dict().items():
            assert torch.equal(load_sae(tmp_path / one.folder).state_dict()[name], weights), (one.keys, name)


def test_the_sae_that_diverges_is_named_and_nothing_is_saved(toy: Toy, train: Training, tmp_path: Path) -> None:
    def damaged() -> TrainingSAE[Any]:
        sae = initial_sae(5, 100, 50, 1)
        sae.W_enc.data[3, 4] = torch.nan
        return sae

    planned = [
        PlannedSae({"k": 5, "seed": seed}, sae, toy, stream_seed=0, samples=2_560)
        for seed, sae in ((0, partial(initial_sae, 5, 100, 50, 0)), (1, damaged))
    ]
    with pytest.raises(UserError, match=r"^sweep k=5: k=5/seed=1 was stopped at step 1: its weights hold NaN or Inf$"):
        train_planned(planned, train, lambda sae: tmp_path / sae.folder, "sweep k=5")
    assert list(tmp_path.iterdir()) == []
