"""Training on a toy is SAELens's toy loop, from the seeds alone."""

import pytest
import torch
from sae_lens.synthetic import train_toy_sae

from sbw.params import Train, load_params
from sbw.rng import drawing_from, seeded
from sbw.saes import initial_sae
from sbw.toy import Toy, build_toy
from sbw.training import train_on_toy
from tests.conftest import ROOT

PARAMS = load_params(ROOT / "params.yaml")


@pytest.fixture(scope="module")
def toy() -> Toy:
    return build_toy(PARAMS.toys["main"])


@pytest.fixture(scope="module")
def train() -> Train:
    return PARAMS.train.model_copy(update={"samples": 10_000, "batch_size": 256})


def test_trains_as_saelens_does(toy: Toy, train: Train) -> None:
    ours, theirs = initial_sae(5, 100, 50, 1), initial_sae(5, 100, 50, 1)
    train_on_toy([ours], toy, train, log_every=10, label="test")
    with drawing_from(seeded(train.stream_seed)):
        train_toy_sae(theirs, toy.features, toy.activations, train.samples, train.batch_size, train.lr)
    for name, weights in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], weights, atol=2e-5, rtol=1e-4)


def test_the_last_batch_is_a_full_one(toy: Toy, train: Train) -> None:
    points = train_on_toy([initial_sae(5, 100, 50, 0)], toy, train, log_every=10, label="test")
    assert [point.step for point in points] == [10, 20, 30, 40]


def test_the_stream_has_a_seed_of_its_own(toy: Toy, train: Train) -> None:
    saes = [initial_sae(5, 100, 50, 0) for _ in range(3)]
    for sae, stream_seed in zip(saes, (0, 0, 1), strict=True):
        train_on_toy([sae], toy, train.model_copy(update={"stream_seed": stream_seed}), log_every=10, label="test")
    assert torch.equal(saes[0].W_dec, saes[1].W_dec)
    assert not torch.equal(saes[0].W_dec, saes[2].W_dec)
