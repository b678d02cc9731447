"""The SAE in focus trains as SAELens's own toy loop does, from the seeds alone."""

from pathlib import Path

import pytest
import torch
from sae_lens import SAE
from sae_lens.synthetic import train_toy_sae

from sbw.params import Train, load_params
from sbw.rng import drawing_from, seeded
from sbw.toy import Toy, build_toy
from sbw.trainer import initial_sae, save_sae, train_sae
from tests.conftest import ROOT

PARAMS = load_params(ROOT / "params.yaml")


@pytest.fixture(scope="module")
def toy() -> Toy:
    return build_toy(PARAMS.toys["main"])


@pytest.fixture(scope="module")
def train() -> Train:
    return PARAMS.train.model_copy(update={"samples": 10_000, "batch_size": 256, "log_every": 10})


def test_trains_as_saelens_does(toy: Toy, train: Train) -> None:
    sae, _ = train_sae(toy, 5, train)
    theirs = initial_sae(5, 100, 50, train.seed)
    with drawing_from(seeded(train.stream_seed)):
        train_toy_sae(theirs, toy.features, toy.activations, train.samples, train.batch_size, train.lr)
    for name, weights in theirs.state_dict().items():
        torch.testing.assert_close(sae.state_dict()[name], weights)


def test_curve_has_a_point_every_few_steps(toy: Toy, train: Train) -> None:
    _, curve = train_sae(toy, 5, train)
    assert curve["step"].tolist() == [10, 20, 30, 40]
    assert curve["loss"].is_monotonic_decreasing
    assert curve["l0"].tolist() == pytest.approx([5] * 4, abs=0.01)


def test_seeds_name_the_weights_and_the_stream(toy: Toy, train: Train) -> None:
    assert torch.equal(initial_sae(5, 100, 50, 1).W_dec, initial_sae(5, 100, 50, 1).W_dec)
    assert not torch.equal(initial_sae(5, 100, 50, 1).W_dec, initial_sae(5, 100, 50, 2).W_dec)
    first, _ = train_sae(toy, 5, train)
    torch.rand(1)
    again, _ = train_sae(toy, 5, train)
    other, _ = train_sae(toy, 5, train.model_copy(update={"stream_seed": 1}))
    assert torch.equal(first.W_dec, again.W_dec)
    assert not torch.equal(first.W_dec, other.W_dec)


def test_saved_sae_is_anyones_saelens_folder(toy: Toy, train: Train, tmp_path: Path) -> None:
    sae, _ = train_sae(toy, 1.8, train)
    save_sae(sae, tmp_path / "a")
    save_sae(sae, tmp_path / "b")
    loaded = SAE.load_from_disk(tmp_path / "a")
    assert loaded.cfg.architecture() == "jumprelu"
    assert loaded.cfg.metadata.training_architecture_details["k"] == 1.8
    assert loaded.threshold[0].item() == pytest.approx(sae.topk_threshold.item())
    for name in ("cfg.json", "sae_weights.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
