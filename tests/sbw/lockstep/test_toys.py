"""Training on a toy is SAELens's toy loop, from the seeds alone."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from sae_lens import TrainingSAE
from sae_lens.synthetic import train_toy_sae

from sbw.lockstep.toys import progress, train_cells, train_on_toy
from sbw.lockstep.trainer import CurvePoint
from sbw.params.training import Training
from sbw.run.errors import UserError
from sbw.run.loading import load_params
from sbw.saes.disk import load_sae, save_sae
from sbw.saes.experiments.cell import Cell
from sbw.saes.untrained import initial_sae
from sbw.synthesis.laws import build_toy
from sbw.toy.generators import drawing_from, seeded
from sbw.toy.model import Toy, with_hub
from tests.conftest import ROOT

PARAMS = load_params(ROOT)


@pytest.fixture(scope="module")
def toy() -> Toy:
    return build_toy(PARAMS.toys["main"])


@pytest.fixture(scope="module")
def train() -> Training:
    return PARAMS.training.model_copy(update={"samples": 10_000, "batch_size": 256})


def trained(saes: list[TrainingSAE[Any]], toy: Toy, train: Training) -> list[CurvePoint]:
    with progress("test", train.steps()) as bar:
        return train_on_toy(
            saes, toy, train, names=[f"number {i}" for i in range(len(saes))], stream_seed=train.stream_seed,
            samples=train.samples, log_every=10, bar=bar,
        )  # fmt: skip


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
def test_cells_are_trained_each_on_its_stream_whoever_trains_it(
    toy: Toy, train: Training, processors: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sbw.lockstep.toys.processors", lambda: processors)
    other = with_hub(toy, 0.1)
    cells = [
        Cell({"rho": i, "seed": seed}, partial(initial_sae, 5, 100, 50, seed), its_toy, stream_seed, samples)
        for i, (its_toy, stream_seed, samples) in enumerate([(toy, 0, 5_000), (toy, 1, 5_000), (other, 0, 2_560)])
        for seed in (0, 1)
    ]
    train_cells(cells, train, lambda cell: tmp_path / cell.folder, "test")
    for cell in cells:
        alone = cell.sae()
        trained([alone], cell.toy, train.model_copy(update={"stream_seed": cell.stream_seed, "samples": cell.samples}))
        save_sae(alone, tmp_path / "alone")
        assert torch.equal(load_sae(tmp_path / cell.folder).W_dec, load_sae(tmp_path / "alone").W_dec)


def test_the_sae_that_diverges_is_named_and_nothing_is_saved(toy: Toy, train: Training, tmp_path: Path) -> None:
    def spoilt() -> TrainingSAE[Any]:
        sae = initial_sae(5, 100, 50, 1)
        sae.W_enc.data[3, 4] = torch.nan
        return sae

    cells = [
        Cell({"k": 5, "seed": seed}, sae, toy, stream_seed=0, samples=2_560)
        for seed, sae in ((0, partial(initial_sae, 5, 100, 50, 0)), (1, spoilt))
    ]
    with pytest.raises(UserError, match=r"^sweep k=5: k=5/seed=1 was stopped at step 1: its weights hold NaN or Inf$"):
        train_cells(cells, train, lambda cell: tmp_path / cell.folder, "sweep k=5")
    assert list(tmp_path.iterdir()) == []


def test_an_sae_that_diverges_is_called_by_its_name(toy: Toy, train: Training) -> None:
    saes = [initial_sae(5, 100, 50, seed) for seed in (0, 1)]
    saes[1].W_dec.data.fill_(torch.inf)
    with pytest.raises(UserError, match=r"^number 1 was stopped at step 1: its weights hold NaN or Inf$"):
        trained(saes, toy, train)


def test_a_folder_is_named_after_its_keys(toy: Toy) -> None:
    cell = Cell({"k": 1.8, "samples": 15_000_000, "seed": 0}, partial(initial_sae, 5, 100, 50, 0), toy, 0, 1)
    assert cell.folder == "k=1.8/samples=15000000/seed=0"
