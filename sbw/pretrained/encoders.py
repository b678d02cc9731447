"""How SAEs encode, where their files tell, in the layouts that their libraries document.

Shapes: b samples, h latents, d width of the activations.
"""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, NoReturn

import torch
from jaxtyping import Float
from torch import Tensor

from sbw.pretrained.formats import DECODER_BIASES, DECODERS, Files, decoder_of, first_of, flat, names_of
from sbw.pretrained.names import plain, stated_l0
from sbw.run.errors import UserError, require_finite

_ENCODERS = ("W_enc", "w_enc", "encoder.weight", "encoder_linear.weight")
_ENCODER_BIASES = ("b_enc", "encoder.bias", "encoder_linear.bias", "latent_bias")
_WEIGHTS = {*_ENCODERS, *_ENCODER_BIASES, *DECODERS, *DECODER_BIASES}
Input = float | Literal["mean norm", "norm", "layer norm"]
"""What an SAE makes of activations before all else: a multiple of them; or of all, or of each, so that the norm is √d;
or of each less its mean, so that the standard deviation over the width is 1."""
_OF_SAELENS: dict[Any, Input] = {
    "expected_average_only_in": "mean norm",
    "constant_norm_rescale": "norm",
    "layer_norm": "layer norm",
}
_OF_OPENMOSS: dict[Any, Input] = {"inference": 1.0, "token-wise": "norm"}
_NO_SCALING = (None, False, "none")
_EPSILON = 1e-5


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
    input: Input = 1.0
    """What its input is of the activations."""

    def prepared(self, first: Float[Tensor, "n d"]) -> Callable[[Float[Tensor, "b d"]], Float[Tensor, "b d"]]:
        """What makes its input of activations, of which `first` are some, for their mean norm."""
        norm = math.sqrt(first.shape[1])
        match self.input:
            case "norm":
                return lambda x: x * (norm / x.norm(dim=1, keepdim=True).clamp(min=_EPSILON))
            case "layer norm":
                return lambda x: (x - x.mean(dim=1, keepdim=True)) / (x.std(dim=1, keepdim=True) + _EPSILON)
            case "mean norm":
                factor = norm / first.norm(dim=1).mean().clamp(min=_EPSILON)
            case _:
                factor = torch.tensor(self.input)
        return lambda x: x * factor

    @torch.no_grad()
    def encode(self, x: Float[Tensor, "b d"]) -> Float[Tensor, "b h"]:
        """The codes of its input, none below 0."""
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
    input: Input = 1.0
    k: Any = None
    threshold: Any = None
    by_norm: bool = False
    """Whether a pre-activation counts times the norm of its decoder row."""
    also: tuple[str, ...] = ()
    """Tensors that do not change how it encodes, or that the above already says."""


def encoder_of(files: Files) -> Encoder:
    """The encoder, with the decoder, in an SAE's files.

    Where pre-activations count times the norms of the decoder's rows, these are folded into the encoder.

    Raises:
        UserError: how the SAE encodes is not understood.
    """
    how = _HOW[files.form.library](files)
    unknown = {name for name in files.tensors if name not in _WEIGHTS and name not in how.also}
    if unknown:
        _not_understood(files, f"its file also holds {names_of(dict.fromkeys(unknown))}")
    encoder = _encoder(files, how)
    require_finite(
        {name: value for name, value in encoder._asdict().items() if isinstance(value, Tensor)}, files.weights
    )
    return encoder


def _encoder(files: Files, how: _How) -> Encoder:
    W_dec = decoder_of(files)
    h, d = W_dec.shape
    b_enc, b_dec = _vector(files, _ENCODER_BIASES, h), _vector(files, DECODER_BIASES, d)
    encoder = Encoder(_W_enc(files, h, d), b_enc, W_dec, b_dec, how.apply_b_dec_to_input, _kept(files, how.k, h),
                      _threshold(files, how.threshold, h), how.input)  # fmt: skip
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
    normalised = _said(files, "normalize_activations", (*_NO_SCALING, *_OF_SAELENS), None)
    how = _How(bool(config.get("apply_b_dec_to_input", True)), _OF_SAELENS.get(normalised, 1.0))
    _said(files, "finetuning_scaling_factor", _NO_SCALING, None)
    if architecture == "jumprelu":
        return how._replace(threshold=_required(files, "threshold"), also=("threshold",))
    if architecture == "topk" or activation == "topk":  # the latter before SAELens 6
        k = config.get("k", config.get("activation_fn_kwargs.k", ""))
        return how._replace(k=k, by_norm=bool(config.get("rescale_acts_by_decoder_norm")))
    return how


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
    normalised = _said(files, "norm_activation", (*_OF_OPENMOSS, "dataset-wise"), None)
    _said(files, "hook_point_out", (None, files.config.get("hook_point_in")), None)
    _said(files, "use_decoder_bias", (True,), True)
    centred = _said(files, "apply_decoder_bias_to_pre_encoder", (True, False), None)
    by_norm = _said(files, "sparsity_include_decoder_norm", (True, False), None)
    norms = tuple(name for name in files.tensors if name.startswith("dataset_average_activation_norm."))
    how = _How(centred, _openmoss_input(files, normalised), by_norm=by_norm, also=norms)
    match _said(files, "act_fn", ("relu", "topk", "jumprelu"), None):
        case "topk":
            return how._replace(k=files.config.get("top_k", ""))
        case "jumprelu" if "log_jumprelu_threshold" in files.tensors:
            logarithm = files.tensors["log_jumprelu_threshold"]
            return how._replace(threshold=logarithm.float().exp(), also=(*norms, "log_jumprelu_threshold"))
        case "jumprelu":
            return how._replace(threshold=_required(files, "jump_relu_threshold", files.config))
    return how


def _openmoss_input(files: Files, normalised: str) -> Input:
    """Where it is for inference, the factor is folded into the weights already."""
    if normalised != "dataset-wise":
        return _OF_OPENMOSS[normalised]
    norm = _required(files, "dataset_average_activation_norm.in", files.config)
    if not isinstance(norm, int | float) or not 0 < norm < math.inf:
        _not_understood(files, f"`dataset_average_activation_norm.in` must be above 0, got {_shown(norm)}")
    return math.sqrt(decoder_of(files).shape[1]) / norm


def _qwen_scope(files: Files) -> _How:
    return _How(apply_b_dec_to_input=False, k=stated_l0(str(files.weights)) or "")


def _of_pt(files: Files) -> _How:
    """OpenAI's have an activation, of which TopK goes with layer norm; Goodfire's have linear layers alone."""
    tensors = files.tensors
    if "latent_bias" in tensors and "pre_bias" in tensors:
        statistics = ("stats_last_nonzero", "latents_activation_frequency", "latents_mean_square")
        how = _How(True, also=("activation", "activation_state_dict", *statistics))
        match tensors.get("activation", "ReLU"):
            case "TopK":
                return how._replace(k=flat(tensors).get("activation_state_dict.k", ""), input="layer norm")
            case "ReLU":
                return how
            case other:
                _not_understood(files, f"its activation must be ReLU or TopK, got {_shown(other)}")
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
    **dict.fromkeys(("a .pt file, as of OpenAI or Goodfire,", "a .pth file, as of Goodfire,"), _of_pt),
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
