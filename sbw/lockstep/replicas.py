"""SAEs as flat tensors, and their training step with the backward pass written out.

Shapes: r replicas, h latents, d width of the activations, b batch. W_enc is [r h d] here, the transpose of SAELens's;
pre = W_enc (x − b_dec) + b_enc, and x̂ = W_decᵀ z + b_dec. Sums and products are taken in SAELens's order where rounding
matters: which of two nearly equal activations is selected decides what a latent learns.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from sae_lens import TrainingSAE
from torch import Tensor

from sbw.run.errors import UserError

DEAD_AFTER = 1000
"""Steps without firing after which a latent is dead: the `dead_feature_window` of SAELens's toy loop."""

DIVERGED = 10
"""A squared error this many times that of x̂ = 0 and that of the first step ends a training."""

ALIGNED = 16
"""Numbers between which memory is aligned: 64 bytes of float32."""

_BETA1, _BETA2, _EPS = 0.9, 0.999, 1e-8  # Adam's
_LOWER_LR = "training diverged, try a lower `training.lr`"
_WEIGHTS = ("W_enc", "W_dec", "b_enc", "b_dec", "threshold")


class StepLog(NamedTuple):
    """What a step did: one value per replica."""

    loss: list[float]
    """Mean squared error summed over the width, plus the auxiliary or sparsity loss."""
    l0: list[float]
    """Active latents per sample in the batch."""


class Diverged(UserError):
    """An SAE whose training cannot go on."""

    def __init__(self, replica: int, cause: str):
        super().__init__(replica, cause)
        self.replica, self.cause = replica, cause

    def __str__(self) -> str:
        return f"SAE {self.replica} {self.cause}"


class Trained(NamedTuple):
    """r trained SAEs."""

    params: NDArray[np.floating]
    """All weights, [r p]."""
    dead: list[int]
    """Number of dead latents of each."""
    thresholds: list[float]
    """BatchTopK's thresholds."""


class Views:
    """The weights of r SAEs, or their gradients, as views of one flat tensor [r p]."""

    def __init__(self, flat: Float[Tensor, "r p"], h: int, d: int):
        shapes = [(h, d), (h, d), (h, 1), (d, 1), (h, 1)]
        parts = torch.split(flat, [rows * columns for rows, columns in shapes], dim=1)
        views = [part.view(-1, *shape) for part, shape in zip(parts, shapes, strict=True)]
        self.W_enc, self.W_dec, self.b_enc, self.b_dec, self.threshold = views


class Scratch:
    """What a step writes and the next one overwrites: few tensors, since the processor's cache is small."""

    def __init__(self, like: Tensor, r: int, h: int, d: int, b: int):
        self.wide = aligned(like, r, d, b)
        """The centred activations, then the error x̂ − x."""
        self.pre = aligned(like, r, h, b)
        """The pre-activations, then their gradient."""
        self.z = aligned(like, r, h, b)
        self.each = list(zip(self.pre, self.z, strict=True))


class Replicas(ABC):
    """r SAEs of one class and shape that take their training steps together; subclasses add the activation."""

    def __init__(self, saes: Sequence[TrainingSAE[Any]], steps: int, lr: float, device: str):
        self.saes, self.steps, self.lr = saes, steps, lr
        self.r, self.h, self.d = len(saes), saes[0].cfg.d_sae, saes[0].cfg.d_in
        like = torch.empty(0, dtype=saes[0].W_dec.dtype, device=device)
        self.params, self.grads, self.exp_avg, self.exp_avg_sq = (
            aligned(like, self.r, 2 * self.h * self.d + 2 * self.h + self.d) for _ in range(4)
        )
        self.w, self.g = Views(self.params, self.h, self.d), Views(self.grads, self.h, self.d)
        self.since_fired = like.new_zeros(self.r, self.h)
        self.done = 0
        self.first_mse = like.new_zeros(self.r)  # until there has been a step
        self.none_dead_until = 0
        self.scratch = Scratch(like, self.r, self.h, self.d, 0)
        for ours, theirs in self._pairs():
            ours.copy_(theirs)
        self._require_finite(self.params, None)

    def trained(self) -> Trained:
        """The trained SAEs, to be written back here or in another process."""
        dead = (self.since_fired > DEAD_AFTER).sum(dim=1).tolist()
        return Trained(self.params.cpu().numpy(), dead, [])

    def write_back(self, trained: Trained) -> None:
        """Give the trained weights back to the SAEs."""
        self.params.copy_(torch.from_numpy(trained.params))
        for ours, theirs in self._pairs():
            theirs.copy_(ours)
        for sae, dead in zip(self.saes, trained.dead, strict=True):
            sae.cfg.metadata.num_dead_features = dead

    @torch.no_grad()
    def step(self, batch: Float[Tensor, "*r d b"], logging: bool = False) -> StepLog | None:
        """Train on one batch, of all SAEs or of each, and return its log if `logging`.

        Raises:
            Diverged: activations, weights or gradients are not finite or, checked when `logging`, errors are huge.
        """
        w, g, b = self.w, self.g, batch.shape[-1]
        x = batch.expand(self.r, self.d, b)
        if self.scratch.pre.shape[2] != b:
            self.scratch = Scratch(self.params, self.r, self.h, self.d, b)
        s = self.scratch
        torch.sub(x, w.b_dec, out=s.wide)
        torch.baddbmm(w.b_enc, w.W_enc, s.wide, out=s.pre)
        self._activate(s)
        self._decode(s, x)
        if self.done == 0:
            self.first_mse = self._mse(s)
        log = self._log(s, x) if logging else None
        self._gradients(s, x)
        g.W_enc.baddbmm_(g.b_enc, w.b_dec.mT, alpha=-1)
        g.b_dec.baddbmm_(w.W_enc.mT, g.b_enc, alpha=-1)
        self.since_fired.add_(1).masked_fill_(self._fired(s.z), 0)
        norm = torch.linalg.vector_norm(self.grads, dim=1, keepdim=True)
        self._require_finite(norm, x)
        self._update(norm, 2 / b)
        return log

    @abstractmethod
    def _activate(self, s: Scratch) -> None:
        """From pre, fill z."""

    def _decode(self, s: Scratch, x: Float[Tensor, "r d b"]) -> None:
        """From z, fill wide with the error."""
        torch.baddbmm(self.w.b_dec, self.w.W_dec.mT, s.z, out=s.wide).sub_(x)

    def _gradients(self, s: Scratch, x: Float[Tensor, "r d b"]) -> None:
        """Fill the gradients of half the summed squared error, as if x were not centred."""
        g = self.g
        torch.bmm(s.z, s.wide.mT, out=g.W_dec)
        torch.sum(s.wide, dim=2, keepdim=True, out=g.b_dec)
        self._backward(s)
        torch.sum(s.pre, dim=2, keepdim=True, out=g.b_enc)
        torch.bmm(s.pre, x.mT, out=g.W_enc)

    def _fired(self, z: Float[Tensor, "r h b"]) -> Bool[Tensor, "r h"]:
        return z.amax(dim=2) > 0

    @abstractmethod
    def _backward(self, s: Scratch) -> None:
        """Fill pre with its gradient, and add the gradients of what the loss has beside the squared error."""

    @abstractmethod
    def _extra_loss(self, s: Scratch) -> Float[Tensor, " r"]:
        """The loss beside the mean squared error."""

    def _dead(self) -> Bool[Tensor, "r h"] | None:
        """Which latents are dead, or None; looks only when one can be, since a silence grows by one per step."""
        if self.done < self.none_dead_until:
            return None
        silence = int(self.since_fired.max())
        self.none_dead_until = self.done + max(0, DEAD_AFTER + 1 - silence)
        return self.since_fired > DEAD_AFTER if silence > DEAD_AFTER else None

    def _log(self, s: Scratch, x: Float[Tensor, "r d b"]) -> StepLog:
        b, mse = s.z.shape[2], self._mse(s)
        self._require_bounded(mse, x.square().sum(dim=(1, 2)) / b)
        l0 = (s.z > 0).sum(dim=(1, 2)) / b
        return StepLog((mse + self._extra_loss(s)).tolist(), l0.tolist())

    @staticmethod
    def _mse(s: Scratch) -> Float[Tensor, " r"]:
        return s.wide.square().sum(dim=(1, 2)) / s.wide.shape[2]

    def _require_bounded(self, mse: Float[Tensor, " r"], power: Float[Tensor, " r"]) -> None:
        beyond = mse > DIVERGED * torch.maximum(self.first_mse, power)
        if beyond.any():
            i = int(beyond.int().argmax())
            raise self._diverged(
                i, f"its squared error is {mse[i]:.4g}, where x̂ = 0 has {power[i]:.4g} and the first step had "
                f"{self.first_mse[i]:.4g}: {_LOWER_LR}"
            )  # fmt: skip

    def _require_finite(self, values: Float[Tensor, "r n"], x: Float[Tensor, "r d b"] | None) -> None:
        # A value that is not finite makes the sum so: one number to look at.
        if math.isfinite(values.sum().item()):
            return
        i = int(values.isfinite().all(dim=1).int().argmin())
        if not self.params[i].isfinite().all():
            raise self._diverged(i, "its weights hold NaN or Inf")
        if x is not None and not x[i].isfinite().all():
            raise self._diverged(i, "the activations hold NaN or Inf")
        raise self._diverged(i, f"its gradient is not finite: {_LOWER_LR}")

    def _diverged(self, replica: int, cause: str) -> Diverged:
        return Diverged(replica, f"was stopped at step {self.done + 1}: {cause}")

    def _update(self, norm: Float[Tensor, "r 1"], scale: float) -> None:
        """Adam's step with the gradients, of that norm, times `scale`, clipped at norm 1."""
        self.done += 1
        self.grads.mul_(norm.mul_(scale).add_(1e-6).reciprocal_().clamp_(max=1).mul_(scale))
        self.exp_avg.lerp_(self.grads, 1 - _BETA1)
        self.exp_avg_sq.mul_(_BETA2).addcmul_(self.grads, self.grads, value=1 - _BETA2)
        # The gradients are no longer needed: the denominator takes their place.
        denominator = torch.sqrt(self.exp_avg_sq, out=self.grads)
        denominator.div_(math.sqrt(1 - _BETA2**self.done)).add_(_EPS)
        self.params.addcdiv_(self.exp_avg, denominator, value=-self.lr / (1 - _BETA1**self.done))

    def _pairs(self) -> Iterator[tuple[Tensor, Tensor]]:
        for i, sae in enumerate(self.saes):
            for name in _WEIGHTS:
                theirs = getattr(sae, name, None)
                if theirs is not None:
                    ours = getattr(self.w, name)[i]
                    yield ours, theirs.data.T if name == "W_enc" else theirs.data.view(ours.shape)


def aligned(like: Tensor, r: int, *shape: int) -> Float[Tensor, "r ..."]:
    """Zeros for each of r SAEs that begin where memory is aligned, as if each were alone: sums depend on that."""
    size = math.prod(shape)
    return like.new_zeros(r, -(-size // ALIGNED) * ALIGNED)[:, :size].view(r, *shape)


def where_above(values: Tensor, gate: Tensor, cut: float, out: Tensor | None = None) -> Tensor:
    """The values where `gate` exceeds `cut`, else 0: one pass, without a mask of booleans."""
    backward = torch.ops.aten.threshold_backward  # of ReLU-like functions: lets the gradient through above the cut
    return backward(values, gate, cut) if out is None else backward.grad_input(values, gate, cut, grad_input=out)


def where_within(values: Tensor, gate: Tensor, reach: float, out: Tensor) -> Tensor:
    """The values where `gate` is within ± `reach`, else 0, in one pass too."""
    backward = torch.ops.aten.hardtanh_backward
    return backward.grad_input(values, gate, -reach, reach, grad_input=out)
