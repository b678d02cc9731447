"""Trained SAEs are SAELens's, take activations as they are, and keep as many latents active as they were asked to."""

from pathlib import Path

import pytest
import torch
from sae_lens import SAE
from torch import Tensor

from sbw.llm.activations import shuffled
from sbw.llm.training import Recipe, Source, initial, train_saes
from sbw.lockstep.trainer import train_lockstep
from sbw.params.llm import LlmBatchTopK, LlmJumpReLU, LlmTraining
from sbw.toy.generators import seeded

SOURCE = Source("tiny", "SAETransformerBridge", "blocks.0.hook_out", 16)
PARAMS = LlmTraining(
    d_sae=24,
    batch_size=32,
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


@pytest.fixture(scope="module")
def trained(activations: Tensor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saes")
    train_saes(RECIPES, PARAMS, activations, SOURCE, lambda name: folder / name)
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
    assert (metadata.training_architecture, metadata.training_architecture_details["k"]) == ("batchtopk", 4)


def test_bytes_do_not_depend_on_the_number_of_processes(
    trained: Path, activations: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sbw.run.processes.processors", lambda: 1)
    train_saes(RECIPES, PARAMS, activations, SOURCE, lambda name: tmp_path / name)
    for path in trained.rglob("*.*"):
        assert (tmp_path / path.relative_to(trained)).read_bytes() == path.read_bytes()


def test_the_scale_of_the_activations_does_not_matter(trained: Path, activations: Tensor, tmp_path: Path) -> None:
    train_saes(RECIPES[:1], PARAMS, activations * 4, SOURCE, lambda name: tmp_path / name)
    ours, larger = SAE.load_from_disk(trained / "four"), SAE.load_from_disk(tmp_path / "four")
    with torch.no_grad():
        torch.testing.assert_close(4 * ours(activations[:9].float()), larger(4 * activations[:9].float()))


def test_an_sae_is_what_lockstep_makes_of_scaled_activations(trained: Path, activations: Tensor) -> None:
    scale = 4 / activations.float().norm(dim=1).mean().item()
    sae = initial(RECIPES[0], 16, 24, 750)
    sae.b_dec.data = activations.float().mean(dim=0) * scale
    train_lockstep([sae], shuffled(activations, 32, scale, 0), steps=750, lr=3e-3, processes=1)
    decoder = SAE.load_from_disk(trained / "four").W_dec
    norms = sae.W_dec.norm(dim=1, keepdim=True)
    torch.testing.assert_close(
        decoder / decoder.norm(dim=1, keepdim=True), sae.W_dec.detach() / norms, check_stride=False
    )


def test_seeds_are_of_the_initial_weights_and_leave_the_order_of_the_activations(
    trained: Path, activations: Tensor, tmp_path: Path
) -> None:
    recipes = [Recipe(str(seed), PARAMS.saes["four"], seed) for seed in (1, 0)]
    train_saes(recipes, PARAMS, activations, SOURCE, lambda name: tmp_path / name)
    weights = "sae_weights.safetensors"
    assert (tmp_path / "0" / weights).read_bytes() == (trained / "four" / weights).read_bytes()
    assert (tmp_path / "1" / weights).read_bytes() != (trained / "four" / weights).read_bytes()
