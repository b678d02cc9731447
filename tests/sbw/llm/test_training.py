"""Trained SAEs are SAELens's, take activations as they are, and keep as many latents active as they were asked to."""

from pathlib import Path
from typing import Any

import pytest
import torch
from sae_lens import SAE
from safetensors.torch import save_file
from torch import Tensor

from sbw.llm.shards import Shards
from sbw.llm.training import Recipe, Source, bytes_of, initial, train_saes
from sbw.lockstep.trainer import train_lockstep
from sbw.params.llm import LlmBatchTopK, LlmJumpReLU, LlmTraining
from sbw.run.errors import UserError
from sbw.toy.generators import seeded

SOURCE = Source("tiny", "SAETransformerBridge", "blocks.0.hook_out", 16, "my/texts")
PARAMS = LlmTraining(
    d_sae=24,
    batch_size=32,
    buffer=5_000,
    lr=3e-3,
    seed=0,
    saes={
        "four": LlmBatchTopK(architecture="batchtopk", k=4),
        "fraction": LlmBatchTopK(architecture="batchtopk", k=2.5),
        "jumprelu": LlmJumpReLU(architecture="jumprelu", l0_coefficient=0.1, warm_up=0.5),
    },
)
RECIPES = [Recipe(name, sae, seed=0) for name, sae in PARAMS.saes.items()]


@pytest.fixture(scope="module")
def activations() -> Tensor:
    """Sums of a few of 24 directions, far from the origin and much longer than √d."""
    generator = seeded(0)
    directions = torch.randn(24, 16, generator=generator)
    active = torch.rand(24_000, 24, generator=generator) < 0.15
    magnitudes = 1 + 0.2 * torch.randn(24_000, 24, generator=generator)
    return ((active * magnitudes) @ directions * 20 + 30).bfloat16()


def on_disk(activations: Tensor, folder: Path) -> Shards:
    """In shards of 7,000."""
    folder.mkdir()
    for i, part in enumerate(torch.split(activations, 7000)):
        save_file({"activations": part.contiguous()}, folder / f"activations-{i:05d}.safetensors")
    return Shards(folder)


@pytest.fixture(scope="module")
def shards(activations: Tensor, tmp_path_factory: pytest.TempPathFactory) -> Shards:
    return on_disk(activations, tmp_path_factory.mktemp("on_disk") / "activations")


@pytest.fixture(scope="module")
def trained(shards: Shards, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saes")
    train_saes(RECIPES, PARAMS, shards, SOURCE, folder)
    return folder


@pytest.mark.parametrize(("name", "k"), [("four", 4), ("fraction", 2.5)])
def test_the_saved_sae_has_the_l0_that_it_was_trained_for(
    name: str, k: float, trained: Path, activations: Tensor
) -> None:
    sae = SAE.load_from_disk(trained / name)
    with torch.no_grad():
        l0 = (sae.encode(activations[-20_000:].float()) > 0).sum(dim=1).float().mean().item()
    assert l0 == pytest.approx(k, rel=0.1)
    assert sae.cfg.metadata.l0 == pytest.approx(l0, abs=0.006)


@pytest.mark.parametrize("name", PARAMS.saes)
def test_it_takes_activations_as_they_are(name: str, trained: Path, activations: Tensor) -> None:
    sae, x = SAE.load_from_disk(trained / name), activations[:4000].float()
    with torch.no_grad():
        left = (x - sae(x)).square().sum() / (x - x.mean(dim=0)).square().sum()
    assert left < 0.5
    assert sae.cfg.normalize_activations == "none"


def test_its_metadata_say_where_its_activations_come_from(trained: Path) -> None:
    metadata = SAE.load_from_disk(trained / "four").cfg.metadata
    assert (metadata.model_name, metadata.hook_name, metadata.context_size) == ("tiny", "blocks.0.hook_out", 16)
    assert (metadata.prepend_bos, metadata.training_tokens) == (True, 24_000)
    assert metadata.dataset_path == "my/texts"
    assert (metadata.training_architecture, metadata.training_architecture_details["k"]) == ("batchtopk", 4)


def test_bytes_do_not_depend_on_the_number_of_processes(
    trained: Path, shards: Shards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sbw.run.processes.processors", lambda: 1)
    train_saes(RECIPES, PARAMS, shards, SOURCE, tmp_path)
    for path in trained.rglob("*.*"):
        assert (tmp_path / path.relative_to(trained)).read_bytes() == path.read_bytes()


def test_the_scale_of_the_activations_does_not_matter(trained: Path, activations: Tensor, tmp_path: Path) -> None:
    larger_ones = on_disk(activations * 4, tmp_path / "activations")
    train_saes(RECIPES[:1], PARAMS, larger_ones, SOURCE, tmp_path)
    ours, larger = SAE.load_from_disk(trained / "four"), SAE.load_from_disk(tmp_path / "four")
    with torch.no_grad():
        torch.testing.assert_close(4 * ours(activations[:9].float()), larger(4 * activations[:9].float()))


def test_an_sae_is_what_lockstep_makes_of_scaled_activations(
    trained: Path, activations: Tensor, shards: Shards
) -> None:
    scale = 4 / activations.float().norm(dim=1).mean().item()
    sae = initial(RECIPES[0], 16, 24, 750)
    sae.b_dec.data = activations.float().mean(dim=0) * scale
    train_lockstep([sae], shards.shuffled(32, 5_000, scale, 0), steps=750, lr=3e-3, processes=1)
    decoder = SAE.load_from_disk(trained / "four").W_dec
    norms = sae.W_dec.norm(dim=1, keepdim=True)
    torch.testing.assert_close(
        decoder / decoder.norm(dim=1, keepdim=True), sae.W_dec.detach() / norms, check_stride=False
    )


def test_seeds_are_of_the_initial_weights_and_leave_the_order_of_the_activations(
    trained: Path, shards: Shards, tmp_path: Path
) -> None:
    recipes = [Recipe(str(seed), PARAMS.saes["four"], seed) for seed in (1, 0)]
    train_saes(recipes, PARAMS, shards, SOURCE, tmp_path)
    weights = "sae_weights.safetensors"
    assert (tmp_path / "0" / weights).read_bytes() == (trained / "four" / weights).read_bytes()
    assert (tmp_path / "1" / weights).read_bytes() != (trained / "four" / weights).read_bytes()


def test_saes_are_trained_in_as_many_passes_as_memory_needs(
    trained: Path, shards: Shards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipes = [Recipe(f"{name}_{seed}", PARAMS.saes[name], seed) for name in PARAMS.saes for seed in (0, 1)]
    passes = []

    def lockstep(saes: Any, *args: Any, **options: Any) -> Any:
        passes.append(len(saes))
        return train_lockstep(saes, *args, **options)

    monkeypatch.setattr("sbw.llm.training.train_lockstep", lockstep)
    monkeypatch.setattr("sbw.llm.training.free_memory", lambda _: 4.5 * bytes_of(16, PARAMS))
    train_saes(recipes, PARAMS, shards, SOURCE, tmp_path)
    assert passes == [2, 2, 2], "at most three fit, and JumpReLU is trained apart"
    assert "6 SAEs in 3 passes over the activations: an SAE takes 5e-05 GB" in capsys.readouterr().out
    for name in PARAMS.saes:
        weights = "sae_weights.safetensors"
        assert (tmp_path / f"{name}_0" / weights).read_bytes() == (trained / name / weights).read_bytes()


def test_the_memory_of_an_sae_is_that_of_the_formula_in_the_docs() -> None:
    assert bytes_of(16, PARAMS) == 40 * (2 * 16 * 24 + 2 * 24 + 16) + 8 * 32 * (16 + 2 * 24)


def test_an_sae_that_diverges_is_named(activations: Tensor, tmp_path: Path) -> None:
    wild = PARAMS.model_copy(update={"lr": 1e9})
    with pytest.raises(UserError, match=r"^(four|fraction) was stopped at step \d"):
        train_saes(RECIPES[:2], wild, on_disk(activations, tmp_path / "x"), SOURCE, tmp_path)


def test_the_batched_steps_of_a_gpu_train_the_same_saes(
    trained: Path, shards: Shards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sbw.lockstep.trainer._steps_at_once", lambda device: True)
    train_saes(RECIPES, PARAMS, shards, SOURCE, tmp_path)
    for name in PARAMS.saes:
        ours, theirs = (SAE.load_from_disk(folder / name).W_dec.detach() for folder in (tmp_path, trained))
        assert torch.cosine_similarity(ours, theirs, dim=1).median() > 0.999
