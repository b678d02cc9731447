"""What the files of the field's libraries say of how an SAE encodes, in the layouts that the libraries document."""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, NoReturn

from sbw.pretrained.formats import Files, decoder_of, flat, names_of
from sbw.pretrained.names import plain, stated_l0
from sbw.run.errors import UserError

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


class How(NamedTuple):
    """What a library does with the weights."""

    apply_b_dec_to_input: bool
    input: Input = 1.0
    k: Any = None
    threshold: Any = None
    by_norm: bool = False
    """Whether a pre-activation counts times the norm of its decoder row."""
    also: tuple[str, ...] = ()
    """Tensors that do not change how it encodes, or that the above already says."""


def _saelens(files: Files) -> How:
    config = files.config
    architecture = _said(files, "architecture", ("standard", "topk", "jumprelu"), "standard")
    activation = _said(files, "activation_fn", ("relu", "topk"), config.get("activation_fn_str", "relu"))
    normalised = _said(files, "normalize_activations", (*_NO_SCALING, *_OF_SAELENS), None)
    how = How(bool(config.get("apply_b_dec_to_input", True)), _OF_SAELENS.get(normalised, 1.0))
    _said(files, "finetuning_scaling_factor", _NO_SCALING, None)
    if architecture == "jumprelu":
        return how._replace(threshold=_required(files, "threshold"), also=("threshold",))
    if architecture == "topk" or activation == "topk":  # the latter before SAELens 6
        k = config.get("k", config.get("activation_fn_kwargs.k", ""))
        return how._replace(k=k, by_norm=bool(config.get("rescale_acts_by_decoder_norm")))
    return how


def _sparsify(files: Files) -> How:
    _said(files, "activation", ("topk",), "topk")
    for flag in ("transcode", "skip_connection", "signed"):
        _said(files, flag, (False,), False)
    return How(apply_b_dec_to_input=True, k=files.config.get("k", ""))


def _dictionary_learning(files: Files) -> How:
    kind = _said(files, "trainer.dict_class", tuple(_OF_CLASS), None)
    return _OF_CLASS[kind](files)


def _of_batch(files: Files) -> How:
    return How(True, threshold=_required(files, "threshold"), also=("threshold", "k", "group_sizes"))


_OF_CLASS: dict[Any, Callable[[Files], How]] = {
    "AutoEncoder": lambda _: How(True),
    "AutoEncoderNew": lambda _: How(False),
    "AutoEncoderTopK": lambda files: How(True, k=_required(files, "k"), also=("k", "threshold")),
    "BatchTopKSAE": _of_batch,
    "MatryoshkaBatchTopKSAE": _of_batch,
    "JumpReluAutoEncoder": lambda files: How(False, threshold=_required(files, "threshold"), also=("threshold",)),
}


def _gemma_scope(files: Files) -> How:
    for word in ("transcoder", "embedding", "crosscoder"):
        if any(word in part for part in files.weights.parts[-5:]):
            not_understood(files, f"it is below a folder named after {word}s, which read other activations")
    if files.form.config:
        _said(files, "architecture", ("jump_relu",), None)
        _said(files, "hf_hook_point_out", (None, files.config.get("hf_hook_point_in")), None)
    return How(False, threshold=_required(files, "threshold"), also=("threshold",))


def _openmoss(files: Files) -> How:
    normalised = _said(files, "norm_activation", (*_OF_OPENMOSS, "dataset-wise"), None)
    _said(files, "hook_point_out", (None, files.config.get("hook_point_in")), None)
    _said(files, "use_decoder_bias", (True,), True)
    centred = _said(files, "apply_decoder_bias_to_pre_encoder", (True, False), None)
    by_norm = _said(files, "sparsity_include_decoder_norm", (True, False), None)
    norms = tuple(name for name in files.tensors if name.startswith("dataset_average_activation_norm."))
    how = How(centred, _openmoss_input(files, normalised), by_norm=by_norm, also=norms)
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
        not_understood(files, f"`dataset_average_activation_norm.in` must be above 0, got {shown(norm)}")
    return math.sqrt(decoder_of(files).shape[1]) / norm


def _qwen_scope(files: Files) -> How:
    return How(apply_b_dec_to_input=False, k=stated_l0(str(files.weights)) or "")


def _of_pt(files: Files) -> How:
    """OpenAI's have an activation, of which TopK goes with layer norm; Goodfire's have linear layers alone."""
    tensors = files.tensors
    if "latent_bias" in tensors and "pre_bias" in tensors:
        statistics = ("stats_last_nonzero", "latents_activation_frequency", "latents_mean_square")
        how = How(True, also=("activation", "activation_state_dict", *statistics))
        match tensors.get("activation", "ReLU"):
            case "TopK":
                return how._replace(k=flat(tensors).get("activation_state_dict.k", ""), input="layer norm")
            case "ReLU":
                return how
            case other:
                not_understood(files, f"its activation must be ReLU or TopK, got {shown(other)}")
    if "encoder_linear.weight" in tensors:
        return How(False)
    return not_understood(files, f"it holds {names_of(tensors)}, as neither OpenAI's nor Goodfire's do")


HOW: dict[str, Callable[[Files], How]] = {
    "SAELens": _saelens,
    "OpenMOSS": _openmoss,
    "sparsify": _sparsify,
    "dictionary_learning": _dictionary_learning,
    "Gemma Scope": _gemma_scope,
    "Gemma Scope 2": _gemma_scope,
    "Llama Scope": _openmoss,
    "Qwen-Scope": _qwen_scope,
    **dict.fromkeys(("OpenAI or Goodfire (.pt)", "Goodfire (.pth)"), _of_pt),
}


def _said(files: Files, key: str, allowed: tuple[Any, ...], default: Any) -> Any:
    """What the config says under a key, which must be one of these."""
    value = files.config.get(key, default)
    if not any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in allowed):
        known = ", ".join(str(one) for one in allowed)
        not_understood(files, f"`{key}` must be {known}, got {shown(value)}")
    return value


def _required(files: Files, name: str, among: dict[str, Any] | None = None) -> Any:
    values = files.tensors if among is None else among
    if name not in values:
        not_understood(files, f"it has no `{name}`; it has {names_of(values)}")
    return values[name]


def shown(value: Any) -> str:
    """A value from outside, for an error."""
    return plain(str(value)) or "nothing"


def not_understood(files: Files, cause: str) -> NoReturn:
    """Refuse an SAE of which it is not known how it encodes, by a UserError."""
    raise UserError(f"{files.weights}: its encoder is not understood: {cause}")
