"""The decoders of SAEs in the files of the field's libraries, read without running anything that is in them.

Shapes: h latents, d width of the activations.
"""

import json
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor

from sbw.run.errors import UserError, reading, require_finite


class Format(NamedTuple):
    """Where a library keeps an SAE."""

    library: str
    weights: str
    """Pattern of the file of weights."""
    config: str | None
    """Its config, from the folder of the weights."""
    by_latents: bool
    """Whether the decoder is [h d]; else [d h]. A bias of d entries decides where h and d differ."""


FORMATS = [
    Format("SAELens", "sae_weights.safetensors", "cfg.json", True),
    Format("OpenMOSS", "sae_weights.safetensors", "config.json", False),
    Format("sparsify", "sae.safetensors", "cfg.json", True),
    Format("dictionary_learning", "ae.pt", "config.json", False),
    Format("Gemma Scope", "params.npz", None, True),
    Format("Gemma Scope 2", "params.safetensors", "config.json", True),
    Format("Llama Scope", "final.safetensors", "../hyperparams.json", False),
    Format("Qwen-Scope", "*.sae.pt", None, False),
    Format("OpenAI or Goodfire (.pt)", "*.pt", None, False),
    Format("Goodfire (.pth)", "*.pth", None, False),
]
"""In the order in which they are looked for."""

DECODERS = ("W_dec", "w_dec", "decoder.weight", "decoder_linear.weight")
DECODER_BIASES = ("b_dec", "decoder.bias", "decoder_linear.bias", "decoder_bias", "pre_bias", "bias")
_SETTINGS = ("k", "top_k", "trainer.k", "activation_fn_kwargs.k", "activation_state_dict.k",
             "metadata.training_architecture_details.k")  # fmt: skip
_L0S = ("metadata.l0", "l0", "average_l0")
_ARCHITECTURES = ("metadata.training_architecture", "architecture", "trainer.dict_class", "act_fn", "activation")
_MODELS = ("metadata.model_name", "model_name", "trainer.lm_name", "model")
_HOOKS = ("metadata.hook_name", "hook_name", "hook_point_in", "trainer.submodule_name", "hook_point", "trainer.layer",
          "layer")  # fmt: skip
_LAYER = re.compile(r"(?:^|[/_.])layers?[._]?(\d+)(?=$|[/_.])")
_SAME_MODEL = {"gpt2-small": "gpt2"}


class Files(NamedTuple):
    """What the files of an SAE hold."""

    weights: Path
    form: Format
    tensors: dict[str, Any]
    """Tensors by name, and what else the file of weights says."""
    config: dict[str, Any]
    """Of the config, by dotted key."""


class Decoder(NamedTuple):
    """What an SAE's files say, without its encoder."""

    W_dec: Float[Tensor, "h d"]
    """In float32."""
    family: tuple[str, ...]
    """Architecture, or else the library, then model and hook where its config names them."""
    setting: float | None
    """The k that it was trained for."""
    l0: float | None
    """The L0 that its config states as measured."""
    model: str = ""
    """The language model that its config names, if any."""
    hook: str = ""
    """The place in it."""


def format_of(weights: Path) -> Format | None:
    """The format that a file has by its name and the config beside it, or None if it is not known."""
    for each in FORMATS:
        named = fnmatchcase(weights.name, each.weights)
        if named and (each.config is None or (weights.parent / each.config).is_file()):
            return each
    return None


def read_files(weights: Path) -> Files:
    """Read an SAE's tensors and its config.

    Raises:
        FileNotFoundError, UserError: a file is missing, not readable, or of no format that is known.
    """
    form = format_of(weights)
    if form is None:
        raise UserError(f"{weights} is of no format that is known: {', '.join(each.library for each in FORMATS)}")
    with reading(weights, "file of weights"):
        tensors, config = _tensors(weights), {}
    if form.config:
        with reading(weights.parent / form.config, "config"):
            config = flat(_mapping(json.loads((weights.parent / form.config).read_text(encoding="utf-8-sig"))))
    return Files(weights, form, tensors, config)


def described(files: Files) -> Decoder:
    """The decoder in an SAE's files, with what its config says.

    Raises:
        UserError: there is no decoder, or a weight of it is not finite.
    """
    W_dec = decoder_of(files)
    require_finite({"decoder": W_dec}, files.weights)
    said = flat({**_in_path(files.weights), **files.tensors, **files.config})
    model, hook = _first(said, _MODELS), _first(said, _HOOKS)
    family = (_first(said, _ARCHITECTURES) or files.form.library, _model(model), hook)
    numbers = (_number(said, _SETTINGS), _number(said, _L0S))
    return Decoder(W_dec, tuple(each for each in family if each), *numbers, model, hook)


def _in_path(weights: Path) -> dict[str, Any]:
    """The layer that a path states, where the config may not."""
    layers = _LAYER.findall("/".join(weights.parts[-4:]))
    return {"layer": f"layer {layers[-1]}"} if layers else {}


def refuse_pointer(path: Path) -> None:
    """Refuse, by a UserError, a file whose content is still in Git LFS."""
    with path.open("rb") as file:
        if file.read(40).startswith(b"version https://git-lfs"):
            raise UserError(f"{path} is a pointer of Git LFS: run `git lfs pull` where it was cloned")


def _tensors(weights: Path) -> dict[str, Any]:
    refuse_pointer(weights)
    match weights.suffix:
        case ".safetensors":
            return dict(load_file(weights))
        case ".npz":
            with np.load(weights, allow_pickle=False) as arrays:
                return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    try:
        loaded = _mapping(torch.load(weights, map_location="cpu", weights_only=True))
    except Exception as error:
        if "Unsupported global" in str(error):
            raise UserError(f"{weights} holds more than tensors, and only these are read") from None
        raise
    return dict(loaded.get("state_dict", loaded))


def _mapping(loaded: Any) -> Mapping[str, Any]:
    if not isinstance(loaded, Mapping):
        raise TypeError(f"it must hold values by name, got {type(loaded).__name__}")
    return loaded


def decoder_of(files: Files) -> Float[Tensor, "h d"]:
    """The decoder in an SAE's files, in float32.

    Raises:
        UserError: there is none.
    """
    weights, form, tensors, _ = files
    W_dec = first_of(tensors, DECODERS)
    if not isinstance(W_dec, Tensor) or W_dec.dim() != 2:
        raise UserError(f"{weights} has no decoder, a matrix named {', '.join(DECODERS)}; it has {names_of(tensors)}")
    named = [tensors[name] for name in DECODER_BIASES if isinstance(tensors.get(name), Tensor)]
    biases = {len(bias) for bias in named if bias.dim() == 1}
    by_latents = form.by_latents or (form.library == "dictionary_learning" and "W_dec" in tensors)
    if W_dec.shape[0] != W_dec.shape[1] and biases & set(W_dec.shape):
        by_latents = W_dec.shape[1] in biases
    return (W_dec if by_latents else W_dec.T).float().contiguous()


def first_of(tensors: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """The first tensor that has one of these names, or None."""
    return next((tensors[name] for name in names if name in tensors), None)


def names_of(tensors: Mapping[str, Any]) -> str:
    """Some names of tensors, for an error."""
    return ", ".join(sorted(map(str, tensors))[:8]) or "nothing"


def flat(config: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """The values of nested mappings by dotted key."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        found |= flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return found


def _first(said: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    values = (said[key] for key in keys if isinstance(said.get(key), str | int) and said[key] != "")
    return str(next(values, ""))


def _model(name: str) -> str:
    short = name.rsplit("/", 1)[-1].lower()
    return _SAME_MODEL.get(short, short)


def _number(said: Mapping[str, Any], keys: tuple[str, ...]) -> float | None:
    """The first value above 0 among these keys; what is no such number is as if it were not there."""
    for key in keys:
        value = said.get(key)
        value = value.item() if isinstance(value, Tensor) and value.numel() == 1 else value
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf"):
            return float(value)
    return None
