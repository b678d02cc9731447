"""How SAEs encode, where their files tell, in the layouts that their libraries document.

Shapes: b samples, h latents, d width of the activations.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import torch
from jaxtyping import Float
from torch import Tensor

from sbw.pretrained.formats import DECODER_BIASES, DECODERS, Files, decoder_of, first_of, names_of, read_files
from sbw.pretrained.names import plain, stated_l0
from sbw.run.errors import UserError, require_finite

_ENCODERS = ("W_enc", "w_enc", "encoder.weight", "encoder_linear.weight")
_ENCODER_BIASES = ("b_enc", "encoder.bias", "encoder_linear.bias", "latent_bias")
_WEIGHTS = {*_ENCODERS, *_ENCODER_BIASES, *DECODERS, *DECODER_BIASES}
_NO_NORMALISATION = (None, False, "none")


class Encoder(NamedTuple):
    """An SAE that encodes: its weights in float32, and what it does with pre-activations."""

    W_enc: Float[Tensor, "d h"]
    b_enc: Float[Tensor, " h"]
    W_dec: Float[Tensor, "h d"]
    b_dec: Float[Tensor, " d"]
    apply_b_dec_to_input: bool
    """Whether b_dec is subtracted from the input."""
    k: int | None = None
    """The latents per sample that are kept, the largest (TopK); None: any number."""
    threshold: Float[Tensor, " h"] | None = None
    """What a latent's pre-activation must exceed (JumpReLU); None: 0 (ReLU)."""

    @torch.no_grad()
    def encode(self, x: Float[Tensor, "b d"]) -> Float[Tensor, "b h"]:
        """The codes of activations, none below 0."""
        centred = x - self.b_dec if self.apply_b_dec_to_input else x
        pre = torch.addmm(self.b_enc, centred, self.W_enc)
        if self.k is not None:
            largest, latents = pre.topk(self.k, dim=1, sorted=False)
            return torch.zeros_like(pre).scatter_(1, latents, largest.clamp_(min=0))
        if self.threshold is not None:
            pre.masked_fill_(pre <= self.threshold, 0)
        return pre.clamp_(min=0)


class _How(NamedTuple):
    """What a library does with the weights."""

    apply_b_dec_to_input: bool
    k: Any = None
    threshold: Any = None
    by_norm: bool = False
    """Whether a pre-activation counts times the norm of its decoder row."""
    also: tuple[str, ...] = ()
    """Tensors that do not change how it encodes, or that the above already says."""


def read_encoder(weights: Path) -> Encoder:
    """Read an SAE with its encoder.

    Where pre-activations count times the norms of the decoder's rows, these are folded into the encoder.

    Raises:
        FileNotFoundError, UserError: a file is missing or not readable; or how the SAE encodes is not understood, or
            not in this code, as where it normalises its input.
    """
    files = read_files(weights)
    how = _HOW[files.form.library](files)
    unknown = {name for name in files.tensors if name not in _WEIGHTS and name not in how.also}
    if unknown:
        _not_understood(files, f"its file also holds {names_of(dict.fromkeys(unknown))}")
    encoder = _encoder(files, how)
    require_finite({name: value for name, value in encoder._asdict().items() if isinstance(value, Tensor)}, weights)
    return encoder


def _encoder(files: Files, how: _How) -> Encoder:
    W_dec = decoder_of(files)
    h, d = W_dec.shape
    b_enc, b_dec = _vector(files, _ENCODER_BIASES, h), _vector(files, DECODER_BIASES, d)
    encoder = Encoder(_W_enc(files, h, d), b_enc, W_dec, b_dec, how.apply_b_dec_to_input, _kept(files, how.k, h),
                      _threshold(files, how.threshold, h))  # fmt: skip
    return _folded(encoder) if how.by_norm else encoder


def _folded(encoder: Encoder) -> Encoder:
    norms = encoder.W_dec.norm(dim=1)
    norms = torch.where(norms > 0, norms, 1)
    return encoder._replace(
        W_enc=encoder.W_enc * norms, b_enc=encoder.b_enc * norms, W_dec=encoder.W_dec / norms[:, None]
    )


def _W_enc(files: Files, h: int, d: int) -> Float[Tensor, "d h"]:
    """The encoder; where h and d are equal, torch's linear layers and Qwen-Scope have it [h d]."""
    name = next((name for name in _ENCODERS if name in files.tensors), "")
    W_enc = files.tensors.get(name)
    if not isinstance(W_enc, Tensor) or sorted(W_enc.shape) != sorted((h, d)):
        _not_understood(files, f"no matrix named {', '.join(_ENCODERS)} is of its decoder's {h} latents and width {d}")
    by_latents = name.endswith(".weight") or files.form.library == "Qwen-Scope" if h == d else W_enc.shape[0] == h
    return (W_enc.T if by_latents else W_enc).float().contiguous()


def _vector(files: Files, names: tuple[str, ...], length: int) -> Float[Tensor, " n"]:
    vector = first_of(files.tensors, names)
    if not isinstance(vector, Tensor) or vector.shape != (length,):
        found = f"of the shape {list(vector.shape)}" if isinstance(vector, Tensor) else names_of(files.tensors)
        _not_understood(files, f"a bias named {', '.join(names)} must have {length} entries, got {found}")
    return vector.float()


def _kept(files: Files, k: Any, h: int) -> int | None:
    if k is None:
        return None
    value = k.item() if isinstance(k, Tensor) and k.numel() == 1 else k
    whole = isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer()
    if not whole or not 0 < value <= h:
        _not_understood(files, f"its k must be a whole number from 1 to {h}, got {_shown(value)}")
    return int(value)


def _threshold(files: Files, threshold: Any, h: int) -> Float[Tensor, " h"] | None:
    """A threshold below 0 was never set: dictionary_learning begins with -1."""
    if threshold is None:
        return None
    if not isinstance(threshold, int | float | Tensor):
        _not_understood(files, f"its threshold must be a number, got {_shown(threshold)}")
    value = torch.as_tensor(threshold).float()
    if value.shape not in ((), (h,)) or (value < 0).any():
        found = f"the shape {list(value.shape)}, {value.min():g} and above" if value.dim() else f"{value.item():g}"
        _not_understood(files, f"its thresholds must be one number or {h}, none below 0, got {found}")
    return value.expand(h).contiguous()


def _saelens(files: Files) -> _How:
    config = files.config
    architecture = _said(files, "architecture", ("standard", "topk", "jumprelu"), "standard")
    activation = _said(files, "activation_fn", ("relu", "topk"), config.get("activation_fn_str", "relu"))
    _said(files, "normalize_activations", _NO_NORMALISATION, None)
    _said(files, "finetuning_scaling_factor", _NO_NORMALISATION, None)
    centred = bool(config.get("apply_b_dec_to_input", True))
    if architecture == "jumprelu":
        return _How(centred, threshold=_required(files, "threshold"), also=("threshold",))
    if architecture == "topk" or activation == "topk":  # the latter before SAELens 6
        k = config.get("k", config.get("activation_fn_kwargs.k", ""))
        return _How(centred, k=k, by_norm=bool(config.get("rescale_acts_by_decoder_norm")))
    return _How(centred)


def _sparsify(files: Files) -> _How:
    _said(files, "activation", ("topk",), "topk")
    for flag in ("transcode", "skip_connection", "signed"):
        _said(files, flag, (False,), False)
    return _How(apply_b_dec_to_input=True, k=files.config.get("k", ""))


def _dictionary_learning(files: Files) -> _How:
    kind = _said(files, "trainer.dict_class", tuple(_OF_CLASS), None)
    return _OF_CLASS[kind](files)


def _of_batch(files: Files) -> _How:
    return _How(True, threshold=_required(files, "threshold"), also=("threshold", "k", "group_sizes"))


_OF_CLASS: dict[Any, Callable[[Files], _How]] = {
    "AutoEncoder": lambda _: _How(True),
    "AutoEncoderNew": lambda _: _How(False),
    "AutoEncoderTopK": lambda files: _How(True, k=_required(files, "k"), also=("k", "threshold")),
    "BatchTopKSAE": _of_batch,
    "MatryoshkaBatchTopKSAE": _of_batch,
    "JumpReluAutoEncoder": lambda files: _How(False, threshold=_required(files, "threshold"), also=("threshold",)),
}


def _gemma_scope(files: Files) -> _How:
    for word in ("transcoder", "embedding", "crosscoder"):
        if any(word in part for part in files.weights.parts[-5:]):
            _not_understood(files, f"it is below a folder named after {word}s, which read other activations")
    if files.form.config:
        _said(files, "architecture", ("jump_relu",), None)
        _said(files, "hf_hook_point_out", (None, files.config.get("hf_hook_point_in")), None)
    return _How(False, threshold=_required(files, "threshold"), also=("threshold",))


def _openmoss(files: Files) -> _How:
    _said(files, "norm_activation", ("inference",), None)
    _said(files, "hook_point_out", (None, files.config.get("hook_point_in")), None)
    _said(files, "use_decoder_bias", (True,), True)
    centred = _said(files, "apply_decoder_bias_to_pre_encoder", (True, False), None)
    by_norm = _said(files, "sparsity_include_decoder_norm", (True, False), None)
    norms = tuple(name for name in files.tensors if name.startswith("dataset_average_activation_norm."))
    how = _How(centred, by_norm=by_norm, also=norms)  # folded into the weights already
    match _said(files, "act_fn", ("relu", "topk", "jumprelu"), None):
        case "topk":
            return how._replace(k=files.config.get("top_k", ""))
        case "jumprelu" if "log_jumprelu_threshold" in files.tensors:
            logarithm = files.tensors["log_jumprelu_threshold"]
            return how._replace(threshold=logarithm.float().exp(), also=(*norms, "log_jumprelu_threshold"))
        case "jumprelu":
            return how._replace(threshold=_required(files, "jump_relu_threshold", files.config))
    return how


def _qwen_scope(files: Files) -> _How:
    return _How(apply_b_dec_to_input=False, k=stated_l0(str(files.weights)) or "")


def _of_pt(files: Files) -> _How:
    """OpenAI's have an activation, of which TopK goes with a normalised input; Goodfire's have linear layers alone."""
    tensors = files.tensors
    if "latent_bias" in tensors and "pre_bias" in tensors:
        activation = tensors.get("activation", "ReLU")
        if activation != "ReLU":
            _not_understood(files, f"its activation must be ReLU, got {_shown(activation)}; with TopK, OpenAI's SAEs "
                                   "normalise their input")  # fmt: skip
        statistics = ("stats_last_nonzero", "latents_activation_frequency", "latents_mean_square")
        return _How(True, also=("activation", "activation_state_dict", *statistics))
    if "encoder_linear.weight" in tensors:
        return _How(False)
    return _not_understood(files, f"it holds {names_of(tensors)}, as neither OpenAI's nor Goodfire's do")


_HOW: dict[str, Callable[[Files], _How]] = {
    "SAELens": _saelens,
    "OpenMOSS": _openmoss,
    "sparsify": _sparsify,
    "dictionary_learning": _dictionary_learning,
    "Gemma Scope": _gemma_scope,
    "Gemma Scope 2": _gemma_scope,
    "Llama Scope": _openmoss,
    "Qwen-Scope": _qwen_scope,
    "a .pt file, as of OpenAI or Goodfire,": _of_pt,
    "a .pth file, as of Goodfire,": _of_pt,
}


def _said(files: Files, key: str, allowed: tuple[Any, ...], default: Any) -> Any:
    """What the config says under a key, which must be one of these."""
    value = files.config.get(key, default)
    if not any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in allowed):
        known = ", ".join(str(one) for one in allowed)
        _not_understood(files, f"`{key}` must be {known}, got {_shown(value)}")
    return value


def _required(files: Files, name: str, among: dict[str, Any] | None = None) -> Any:
    values = files.tensors if among is None else among
    if name not in values:
        _not_understood(files, f"it has no `{name}`; it has {names_of(values)}")
    return values[name]


def _shown(value: Any) -> str:
    return plain(str(value)) or "nothing"


def _not_understood(files: Files, cause: str) -> NoReturn:
    raise UserError(f"{files.weights}: its encoder is not understood: {cause}")
