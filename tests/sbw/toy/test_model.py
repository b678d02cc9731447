"""A toy draws what SAELens draws, streams what it samples, and is read as it was written."""

from pathlib import Path
from typing import Any

import pytest
import torch
from sae_lens.synthetic import SyntheticActivationIterator, SyntheticModel

from sbw.run.loading import load_params
from sbw.synthesis.laws import build_toy
from sbw.synthesis.statistics import toy_stats
from sbw.toy.generators import drawing_from, seeded
from sbw.toy.model import Toy, load_sample, load_toy, save_sample, save_toy, with_hub
from tests.conftest import ROOT
from tests.sbw.synthesis.test_laws import CORRELATIONS, TREES, toy_of

WEAK = {"law": "constant", "mean": 0.5, "std": 0.5}
FOLDED = {"law": "folded_normal", "mean": 1.0, "spread": 0.3, "std": 0.1}


def test_a_sample_is_its_generators_alone(toy: Toy) -> None:
    torch.rand(3)
    first = toy.sample(100, seeded(5))
    torch.rand(3)
    assert torch.equal(first, toy.sample(100, seeded(5)))
    assert not torch.equal(first, toy.sample(100, seeded(6)))


def test_samples_and_streams_are_what_saelens_draws(toy: Toy) -> None:
    iterator = SyntheticActivationIterator(toy.features, toy.activations, batch_size=64)
    stream, generator, theirs = toy.stream(64, seeded(7)), seeded(7), seeded(7)
    for _ in range(3):
        with drawing_from(theirs):
            expected = iterator.next_batch()
        assert torch.equal(toy.embed(toy.sample(64, generator)), expected)
        torch.testing.assert_close(next(stream), expected)


def test_saved_toy_is_the_toy(toy: Toy, tmp_path: Path) -> None:
    drawn = toy.observe(64, seeded(0))
    save_toy(toy, tmp_path)
    save_sample(drawn, toy, tmp_path)
    loaded = load_toy(tmp_path)
    assert torch.equal(loaded.sample(32, seeded(9)), toy.sample(32, seeded(9)))
    sample = load_sample(loaded, tmp_path)
    assert torch.equal(sample.feature_acts, drawn.feature_acts)
    assert torch.equal(sample.activations, toy.embed(drawn.feature_acts))
    with pytest.raises(FileNotFoundError):
        load_toy(tmp_path / "nowhere")


GAUSSIAN = {"law": "gaussian", "scale": 0.2}
LOW_RANK = {"law": "low_rank", "scale": 0.5, "rank": 3, "seed": 1}


@pytest.mark.parametrize("correlation", [{"law": "none"}, {"law": "random", **CORRELATIONS["random"]}])
@pytest.mark.parametrize("noise", [GAUSSIAN, LOW_RANK])
def test_a_noisy_toy_is_saved_and_streamed_with_its_noise(
    noise: dict[str, Any], correlation: dict[str, Any], tmp_path: Path
) -> None:
    toy = toy_of(noise=noise, correlation=correlation)
    drawn = toy.observe(256, seeded(0))
    save_toy(toy, tmp_path)
    save_sample(drawn, toy, tmp_path)
    loaded = load_toy(tmp_path)
    assert torch.equal(load_sample(loaded, tmp_path).activations, drawn.activations)
    stream, generator = loaded.stream(64, seeded(3)), seeded(3)
    for _ in range(3):
        batch = next(stream)
        assert batch.T.is_contiguous()
        torch.testing.assert_close(batch, toy.observe(64, generator).activations)


@pytest.mark.parametrize(("noise", "rank"), [(GAUSSIAN, 32), (LOW_RANK, 3)])
def test_noise_has_its_scale_and_rank(noise: dict[str, Any], rank: int) -> None:
    toy = toy_of(noise=noise)
    sample = toy.observe(20_000, seeded(0))
    covariance = torch.cov((sample.activations - toy.embed(sample.feature_acts)).T)
    spread = torch.linalg.eigvalsh(covariance).clamp(min=0).sqrt().flip(0)
    torch.testing.assert_close(spread[:rank], torch.full((rank,), noise["scale"]), rtol=0.06, atol=0)
    assert spread[rank:].le(1e-3).all()
    stats = toy_stats(toy, sample.feature_acts)
    signal = toy.embed(sample.feature_acts).square().sum(1).mean().item()
    assert stats["signal_to_noise"] == pytest.approx(signal / (rank * noise["scale"] ** 2), rel=1e-4)
    assert toy_stats(toy_of(), sample.feature_acts)["signal_to_noise"] is None


def test_noise_of_more_directions_than_dimensions_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`noise.rank` must be at most `d_in` \(32\), got 33"):
        toy_of(noise=LOW_RANK | {"rank": 33})


@pytest.mark.parametrize("rho", [-0.5, -0.4, 0.0, 0.5])
def test_a_hub_is_correlated_with_all_others_and_they_with_none(rho: float) -> None:
    toy = with_hub(build_toy(load_params(ROOT).toys["five"]), rho)
    fired = (toy.sample(200_000, seeded(0)) > 0).double()
    torch.testing.assert_close(fired.mean(0), torch.full((5,), 0.4, dtype=torch.float64), atol=0.005, rtol=0)
    correlations = torch.corrcoef(fired.T)
    assert correlations[1:, 1:].fill_diagonal_(0).abs().max() < 0.01
    assert (correlations[0, 1:].sign() == torch.tensor(rho).sign()).all() or rho == 0
    assert correlations[0, 1:].abs().max() < abs(rho) + 0.01
    assert correlations[0, 1:].abs().min() > 0.6 * abs(rho) - 0.01


AWKWARD: list[dict[str, Any]] = [
    {},
    {"correlation": {"law": "low_rank", **CORRELATIONS["low_rank"]}, "hierarchy": TREES},
    {"firing": {"law": "random", "max": 0.4, "min": 0.1}, "magnitude": FOLDED},
    {"hierarchy": TREES | {"mutually_exclusive_portion": 1.0}, "magnitude": WEAK},  # many a parent is cut off at 0
]


@pytest.mark.parametrize("laws", AWKWARD)
def test_a_saved_model_is_saelenss_own_and_draws_the_same(laws: dict[str, Any], tmp_path: Path) -> None:
    toy = toy_of(**laws)
    save_toy(toy, tmp_path)
    model = SyntheticModel.load_from_disk(tmp_path / "synthetic_model")
    with drawing_from(seeded(3)):
        by_saelens = model.sample(64)
    for tried in (toy, load_toy(tmp_path)):
        assert torch.equal(tried.embed(tried.sample(64, seeded(3))), by_saelens)
        torch.testing.assert_close(next(tried.stream(64, seeded(3))), by_saelens)


def test_reading_a_model_leaves_the_global_generator_as_it_was(tmp_path: Path) -> None:
    save_toy(toy_of(), tmp_path)
    before = torch.get_rng_state()
    load_toy(tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_same_model_has_the_same_bytes(tmp_path: Path) -> None:
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        save_toy(toy_of(**AWKWARD[1]), folder)
    files = [{path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
             for folder in (tmp_path / "a", tmp_path / "b")]  # fmt: skip
    assert files[0] == files[1]
    assert sorted(files[0]) == ["hierarchy.json", "synthetic_model.safetensors", "synthetic_model_config.json"]


@pytest.mark.parametrize("laws", AWKWARD)
def test_massive_toys_are_streamed_alike(laws: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    toy = toy_of(**laws)
    expected = [next(stream) for stream in [toy.stream(64, seeded(3))] for _ in range(3)]
    monkeypatch.setattr("sbw.toy.model.MASSIVE", 24)
    stream = toy.stream(64, seeded(3))
    for batch in expected:
        massive = next(stream)
        torch.testing.assert_close(massive, batch)
        assert massive.T.is_contiguous()
    assert not toy.activations.use_sparse_tensors


def test_a_batch_is_the_transpose_of_a_contiguous_one() -> None:
    for toy in (toy_of(), toy_of(correlation={"law": "random", **CORRELATIONS["random"]})):
        assert next(toy.stream(8, seeded(0))).T.is_contiguous()
