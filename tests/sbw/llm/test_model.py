"""The model is fetched into an ordinary folder, and both of SAELens's classes run it as transformers does."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from sbw.llm.model import Model, fetch_model, label, load_model, pick_dtype, require_hook, special_tokens
from sbw.run.errors import UserError

TOKENS = torch.tensor([[3, 5, 8, 13, 21, 34]])


def test_a_folder_is_fetched_as_safetensors_config_and_tokenizer(tiny: Path, tmp_path: Path) -> None:
    fetch_model(str(tiny / "model"), tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".py"))]


def test_the_bridge_equals_transformers(tiny: Path, model: Model) -> None:
    alone = AutoModelForCausalLM.from_pretrained(tiny / "model", dtype=torch.float32)
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
    with torch.no_grad():
        torch.testing.assert_close(hooked(TOKENS), model(TOKENS), atol=1e-5, rtol=1e-4)


def test_the_token_that_begins_a_context_is_special(model: Model) -> None:
    tokenizer = model.tokenizer
    assert special_tokens(model).tolist() == sorted([tokenizer.bos_token_id, tokenizer.eos_token_id])


def test_an_unknown_hook_is_refused_with_its_neighbours(model: Model) -> None:
    with pytest.raises(UserError, match=r"`hook`: the model has no hook 'blocks.1.hook_x'; it has .*hook_out"):
        require_hook(model, "blocks.1.hook_x", "hook")


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


def test_bfloat16_is_picked_where_the_processor_computes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pick_dtype("float32") == torch.float32
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for capabilities, expected in (({"avx512_bf16": True}, torch.bfloat16), ({"avx2": True}, torch.float32)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda capabilities=capabilities: capabilities)
        assert pick_dtype("auto") == expected


def test_the_default_is_labelled_as_on_its_hub() -> None:
    assert label("smollm2") == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert label("gpt2") == "gpt2"
