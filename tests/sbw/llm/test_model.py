"""The model is fetched into an ordinary folder, and both of SAELens's classes run it as transformers does."""

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from sbw.llm.model import (
    Model,
    activations_at,
    fetch_model,
    load_model,
    pick_dtype,
    require_hook,
    special_tokens,
    width_at,
)
from sbw.llm.wheel import label
from sbw.run.errors import UserError
from tests.sbw.llm import by_hand
from tests.tiny import HOOK, WIDTH, WIDTHS

TOKENS = torch.tensor([[3, 5, 8, 13, 21, 34]])


def test_a_folder_is_fetched_as_safetensors_config_and_tokenizer(tiny: Path, tmp_path: Path) -> None:
    fetch_model(str(tiny / "model"), tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".py"))]


def test_the_bridge_equals_transformers(alone: PreTrainedModel, model: Model) -> None:
    with torch.no_grad():
        torch.testing.assert_close(model(TOKENS, return_type="logits"), alone(TOKENS).logits)


def test_losses_of_a_bfloat16_model_are_float32(tiny: Path) -> None:
    model = load_model(tiny / "model", "SAETransformerBridge", "bfloat16")
    assert model.cfg.dtype == torch.bfloat16
    logits, loss = model(TOKENS, return_type="both")
    assert (logits.dtype, loss.dtype) == (torch.float32, torch.float32)


@pytest.mark.filterwarnings("ignore:HookedTransformer is deprecated:DeprecationWarning")
def test_transformer_lens_own_class_runs_it_too_with_its_own_hooks(tiny: Path, model: Model) -> None:
    hooked = load_model(tiny / "model", "HookedSAETransformer", "float32")
    require_hook(hooked, "blocks.1.hook_resid_pre", "hook")
    widths = {"hook_resid_pre": 16, "attn.hook_q": 16, "attn.hook_k": 8, "attn.hook_z": 16, "mlp.hook_post": 32}
    assert {name: width_at(hooked, f"blocks.1.{name}") for name in widths} == widths
    with torch.no_grad():
        torch.testing.assert_close(hooked(TOKENS), model(TOKENS), atol=1e-5, rtol=1e-4)


def test_the_token_that_begins_a_context_is_special(model: Model) -> None:
    tokenizer = model.tokenizer
    assert special_tokens(model).tolist() == sorted([tokenizer.bos_token_id, tokenizer.eos_token_id])


def test_an_unknown_hook_is_refused_with_its_neighbours(model: Model) -> None:
    with pytest.raises(UserError, match=r"`hook`: the model has no hook 'blocks.1.hook_x'; it has .*hook_out"):
        require_hook(model, "blocks.1.hook_x", "hook")
    with pytest.raises(UserError, match=r"`hook`: the model has no hook '.*hook_z'; it has .*blocks.1.attn.o.hook_in"):
        require_hook(model, "blocks.1.attn.hook_z", "hook")


@pytest.mark.parametrize("hook", WIDTHS)
def test_activations_are_those_of_transformers_with_heads_joined(
    hook: str, model: Model, alone: PreTrainedModel
) -> None:
    found = activations_at(model, hook, TOKENS)
    assert found.shape == (*TOKENS.shape, WIDTHS[hook])
    torch.testing.assert_close(found, by_hand.activations(alone, hook, TOKENS))


@pytest.mark.parametrize("hook", [*WIDTHS, HOOK, "ln_final.hook_normalized"])
def test_the_width_at_a_hook_is_that_of_all_heads(hook: str, model: Model) -> None:
    assert width_at(model, hook) == WIDTHS.get(hook, WIDTH)


@pytest.mark.parametrize(
    ("hook", "reason"),
    [
        ("blocks.0.attn.hook_pattern", r"does not give one activation per token, but a tensor of shape \(2, 2, 3, 3\)"),
        ("embed.hook_in", r"does not give one activation per token, but a tensor of shape \(2, 3\)"),
        ("blocks.0.attn.hook_cos", r"does not give one activation per token, but a tensor of shape \(1, 3, 8\)"),
        ("blocks.0.attn.hook_result", "the model, as it is loaded, computes nothing at the hook"),
    ],
)
def test_a_hook_without_one_activation_per_token_is_refused(hook: str, reason: str, model: Model) -> None:
    with pytest.raises(UserError, match=reason) as error:
        width_at(model, hook)
    assert hook in str(error.value)


@pytest.mark.parametrize(
    ("offline", "reason"),
    [("1", "HF_HUB_OFFLINE is set: unset it to allow the look-up"), ("0", "was not fetched from the hub: ")],
)
def test_a_hub_that_cannot_be_reached_is_named(
    offline: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", offline)
    with pytest.raises(UserError, match=f"`model`: 'nobody/nothing' is neither .*{reason}"):
        fetch_model("nobody/nothing", tmp_path)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"`model`: the folder .* holds no model that can be read"):
        fetch_model(str(tmp_path), tmp_path / "out")


def test_bfloat16_is_picked_where_the_device_computes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pick_dtype("float32", "cuda") == torch.float32
    assert pick_dtype("auto", "cuda") == torch.bfloat16
    for capabilities, expected in (({"avx512_bf16": True}, torch.bfloat16), ({"avx2": True}, torch.float32)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda capabilities=capabilities: capabilities)
        assert pick_dtype("auto", "cpu") == expected


def test_the_default_is_labelled_as_on_its_hub() -> None:
    assert label("smollm2") == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert label("gpt2") == "gpt2"
