"""How SAEs encode, where their files tell, in the layouts that their libraries document.

Shapes: b samples, h latents, d width of the activations.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from sbw.pretrained.formats import DECODER_BIASES, DECODERS, Files, decoder_of, first_of, names_of
from sbw.pretrained.libraries import HOW, How, Input, not_understood, shown
from sbw.run.errors import require_finite

_ENCODERS = ("W_enc", "w_enc", "encoder.weight", "encoder_linear.weight")
_ENCODER_BIASES = ("b_enc", "encoder.bias", "encoder_linear.bias", "latent_bias")
_WEIGHTS = {*_ENCODERS, *_ENCODER_BIASES, *DECODERS, *DECODER_BIASES}
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

    def to(self, device: str) -> "Encoder":
        """The same on a device."""
        return self._replace(
            W_enc=self.W_enc.to(device),
            b_enc=self.b_enc.to(device),
            W_dec=self.W_dec.to(device),
            b_dec=self.b_dec.to(device),
            threshold=None if self.threshold is None else self.threshold.to(device),
        )

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


def encoder_of(files: Files) -> Encoder:
    """The encoder, with the decoder, in an SAE's files.

    Where pre-activations count times the norms of the decoder's rows, these are folded into the encoder.

    Raises:
        UserError: how the SAE encodes is not understood.
    """
    how = HOW[files.form.library](files)
    unknown = {name for name in files.tensors if name not in _WEIGHTS and name not in how.also}
    if unknown:
        not_understood(files, f"its file also holds {names_of(dict.fromkeys(unknown))}")
    encoder = _encoder(files, how)
    require_finite(
        {name: value for name, value in encoder._asdict().items() if isinstance(value, Tensor)}, files.weights
    )
    return encoder


def _encoder(files: Files, how: How) -> Encoder:
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
        not_understood(files, f"no matrix named {', '.join(_ENCODERS)} is of its decoder's {h} latents and width {d}")
    by_latents = name.endswith(".weight") or files.form.library == "Qwen-Scope" if h == d else W_enc.shape[0] == h
    return (W_enc.T if by_latents else W_enc).float().contiguous()


def _vector(files: Files, names: tuple[str, ...], length: int) -> Float[Tensor, " n"]:
    vector = first_of(files.tensors, names)
    if not isinstance(vector, Tensor) or vector.shape != (length,):
        found = f"of the shape {list(vector.shape)}" if isinstance(vector, Tensor) else names_of(files.tensors)
        not_understood(files, f"a bias named {', '.join(names)} must have {length} entries, got {found}")
    return vector.float()


def _kept(files: Files, k: Any, h: int) -> int | None:
    if k is None:
        return None
    value = k.item() if isinstance(k, Tensor) and k.numel() == 1 else k
    whole = isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer()
    if not whole or not 0 < value <= h:
        not_understood(files, f"its k must be a whole number from 1 to {h}, got {shown(value)}")
    return int(value)


def _threshold(files: Files, threshold: Any, h: int) -> Float[Tensor, " h"] | None:
    """A threshold below 0 was never set: dictionary_learning begins with -1."""
    if threshold is None:
        return None
    if not isinstance(threshold, int | float | Tensor):
        not_understood(files, f"its threshold must be a number, got {shown(threshold)}")
    value = torch.as_tensor(threshold).float()
    if value.shape not in ((), (h,)) or (value < 0).any():
        found = f"the shape {list(value.shape)}, {value.min():g} and above" if value.dim() else f"{value.item():g}"
        not_understood(files, f"its thresholds must be one number or {h}, none below 0, got {found}")
    return value.expand(h).contiguous()
