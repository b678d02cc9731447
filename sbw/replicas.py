"""SAEs as flat tensors, and one training step of them with the backward pass written out.

Shapes: r replicas, h latents, d width of the activations, b batch. W_enc is [r h d] here, the transpose of SAELens's;
pre = W_enc (x − b_dec) + b_enc, and x̂ = W_decᵀ z + b_dec. Sums and products are taken in SAELens's order where rounding
could tell: which of two nearly equal activations is selected decides what a latent learns.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from sae_lens import TrainingSAE
from torch import Tensor

from sbw.schedule import KSchedule
from sbw.selection import KthLargest, where_above

DEAD_AFTER = 1000
"""Steps without firing after which a latent is dead: the `dead_feature_window` of SAELens's toy loop."""

_BETA1, _BETA2, _EPS = 0.9, 0.999, 1e-8  # Adam's
_WEIGHTS = ("W_enc", "W_dec", "b_enc", "b_dec", "threshold")


class StepLog(NamedTuple):
    """What a step did, a value a replica."""

    loss: list[float]
    """Mean squared error summed over the width, plus the auxiliary or sparsity loss."""
    l0: list[float]
    """Active latents a sample in the batch."""


class Trained(NamedTuple):
    """What training has made of r SAEs."""

    params: NDArray[np.floating]
    """All weights, [r p]."""
    dead: list[int]
    """Dead latents of each."""
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
    """What a step writes and the next one overwrites; few and reused, since the processor's cache is small."""

    def __init__(self, like: Tensor, r: int, h: int, d: int, b: int):
        self.wide = like.new_empty(r, d, b)
        """The centred activations, then the error x̂ − x."""
        self.pre = like.new_empty(r, h, b)
        """The pre-activations, then their gradient."""
        self.z = like.new_empty(r, h, b)
        self.each = list(zip(self.pre, self.z, strict=True))


class Replicas:
    """r SAEs of one class and shape that take their training steps together; the subclasses know their activation."""

    def __init__(
        self, saes: Sequence[TrainingSAE[Any]], schedules: Sequence[KSchedule], steps: int, lr: float, device: str
    ):
        self.saes, self.schedules, self.steps, self.lr = saes, schedules, steps, lr
        self.r, self.h, self.d = len(saes), saes[0].cfg.d_sae, saes[0].cfg.d_in
        like = torch.empty(0, dtype=saes[0].W_dec.dtype, device=device)
        self.params, self.grads, self.exp_avg, self.exp_avg_sq = (
            like.new_zeros(self.r, 2 * self.h * self.d + 2 * self.h + self.d) for _ in range(4)
        )
        self.w, self.g = Views(self.params, self.h, self.d), Views(self.grads, self.h, self.d)
        self.since_fired = like.new_zeros(self.r, self.h)
        self.done = 0
        self.none_dead_until = 0
        self.scratch = Scratch(like, self.r, self.h, self.d, 0)
        for ours, theirs in self._pairs():
            ours.copy_(theirs)

    def trained(self) -> Trained:
        """What training has made of the SAEs, to be written back here or in another process."""
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
    def step(self, x: Float[Tensor, "d b"], logging: bool = False) -> StepLog | None:
        """Train on one batch; says what happened if `logging`."""
        w, g, b = self.w, self.g, x.shape[1]
        if self.scratch.pre.shape[2] != b:
            self.scratch = Scratch(self.params, self.r, self.h, self.d, b)
        s = self.scratch
        torch.sub(x, w.b_dec, out=s.wide)
        torch.baddbmm(w.b_enc, w.W_enc, s.wide, out=s.pre)
        self._activate(s)
        torch.baddbmm(w.b_dec, w.W_dec.mT, s.z, out=s.wide).sub_(x)
        log = self._log(s) if logging else None
        # Gradients of half the summed squared error; the factor 2 / b comes last, on tensors that are small.
        torch.bmm(s.z, s.wide.mT, out=g.W_dec)
        torch.sum(s.wide, dim=2, keepdim=True, out=g.b_dec)
        self._backward(s)
        torch.sum(s.pre, dim=2, keepdim=True, out=g.b_enc)
        torch.bmm(s.pre, x.T.expand(self.r, b, self.d), out=g.W_enc)
        g.W_enc.baddbmm_(g.b_enc, w.b_dec.mT, alpha=-1)
        g.b_dec.baddbmm_(w.W_enc.mT, g.b_enc, alpha=-1)
        self.since_fired.add_(1).masked_fill_(s.z.amax(dim=2) > 0, 0)
        self._update(2 / b)
        return log

    def _activate(self, s: Scratch) -> None:
        """From pre, fill z."""
        raise NotImplementedError

    def _backward(self, s: Scratch) -> None:
        """Fill pre with its gradient, and add the gradients of what the loss has beside the squared error."""
        raise NotImplementedError

    def _extra_loss(self, s: Scratch) -> Float[Tensor, " r"]:
        """The loss beside the mean squared error."""
        raise NotImplementedError

    def _dead(self) -> Bool[Tensor, "r h"] | None:
        """Which latents are dead; None where none is. Looks only when one can be: a silence grows by one a step."""
        if self.done < self.none_dead_until:
            return None
        silence = int(self.since_fired.max())
        self.none_dead_until = self.done + max(0, DEAD_AFTER + 1 - silence)
        return self.since_fired > DEAD_AFTER if silence > DEAD_AFTER else None

    def _log(self, s: Scratch) -> StepLog:
        b = s.z.shape[2]
        mse = s.wide.square().sum(dim=(1, 2)) / b
        l0 = (s.z > 0).sum(dim=(1, 2)) / b
        return StepLog((mse + self._extra_loss(s)).tolist(), l0.tolist())

    def _update(self, scale: float) -> None:
        """Adam's step with the gradients times `scale`, clipped at norm 1."""
        self.done += 1
        norm = torch.linalg.vector_norm(self.grads, dim=1, keepdim=True)
        self.grads.mul_(norm.mul_(scale).add_(1e-6).reciprocal_().clamp_(max=1).mul_(scale))
        self.exp_avg.lerp_(self.grads, 1 - _BETA1)
        self.exp_avg_sq.mul_(_BETA2).addcmul_(self.grads, self.grads, value=1 - _BETA2)
        # The gradients have done their work: their place takes the denominator.
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


class BatchTopKReplicas(Replicas):
    """BatchTopK with its auxiliary loss and threshold.

    With the norms n_j = ‖W_dec[j]‖, z = pre·n/n where pre·n is among the k·b greatest and above 0, else 0. The norms
    cancel, so that the gradient of pre is that of z; SAELens's autograd adds up terms that come to the same.
    """

    def __init__(self, *args: Any):
        super().__init__(*args)
        self.kth_largest = [KthLargest() for _ in self.saes]
        self.thresholds = [sae.topk_threshold.item() for sae in self.saes]

    def trained(self) -> Trained:
        """What training has made of the SAEs, their thresholds included."""
        return super().trained()._replace(thresholds=self.thresholds)

    def write_back(self, trained: Trained) -> None:
        """Give the trained weights and thresholds back to the SAEs."""
        super().write_back(trained)
        for sae, threshold in zip(self.saes, trained.thresholds, strict=True):
            sae.topk_threshold.fill_(threshold)

    def _activate(self, s: Scratch) -> None:
        norm = self.w.W_dec.norm(dim=2, keepdim=True)
        s.pre.mul_(norm)
        for i, (pre, z) in enumerate(s.each):
            k = int(self.schedules[i].at(self.done / self.steps) * pre.shape[1])
            kth = self.kth_largest[i](pre, k)
            if kth.surplus and kth.value > 0:
                z.copy_(pre * _topk_mask(pre, k))
            else:
                where_above(pre, pre, max(kth.cut, 0.0), out=z)
            self._move_threshold(i, kth.value if kth.value > 0 else _least_positive(pre))
        self.inverse_norm = norm.reciprocal()
        s.z.mul_(self.inverse_norm)
        dead = self._dead()
        self.revived = [] if dead is None else [self._revive(i, dead[i], s) for i in range(self.r) if dead[i].any()]

    def _backward(self, s: Scratch) -> None:
        torch.bmm(self.w.W_dec, s.wide, out=s.pre)
        where_above(s.pre, s.z, 0.0, out=s.pre)
        for i, dead, scale, z in self.revived:
            W_dec = self.w.W_dec[i, dead]
            error = W_dec.T @ z + s.wide[i]
            self.g.W_dec[i, dead] += scale * z @ error.T
            s.pre[i, dead] += scale * (W_dec @ error) * (z != 0)

    def _extra_loss(self, s: Scratch) -> Tensor:
        loss = s.wide.new_zeros(self.r)
        for i, dead, scale, z in self.revived:
            loss[i] = scale * (self.w.W_dec[i, dead].T @ z + s.wide[i]).square().sum() / z.shape[1]
        return loss

    def _revive(self, i: int, dead: Bool[Tensor, " h"], s: Scratch) -> tuple[int, Tensor, float, Tensor]:
        """The auxiliary loss's part of a replica: its dead latents reconstruct what the others leave over.

        Returns the replica, its dead latents, the loss's scale, and the activations of the dead latents with the
        greatest pre·n, half as many as the activations are wide.
        """
        num_dead, half = int(dead.sum()), self.d // 2
        z = s.pre[i, dead]
        if half < num_dead:
            values, chosen = z.topk(half, dim=0)
            z = torch.zeros_like(z).scatter_(0, chosen, values)
        scale = self.saes[i].cfg.aux_loss_coefficient * min(num_dead / half, 1.0)
        return i, dead, scale, z * self.inverse_norm[i, dead]

    def _move_threshold(self, i: int, least_active: float | None) -> None:
        if least_active is not None:
            rate = self.saes[i].cfg.topk_threshold_lr
            self.thresholds[i] = (1 - rate) * self.thresholds[i] + rate * least_active


class JumpReLUReplicas(Replicas):
    """JumpReLU with the tanh sparsity loss λ Σ tanh(c z n), n_j = ‖W_dec[j]‖, and its coefficient's warm-up.

    z = pre where pre exceeds the latent's threshold θ, whose gradient is estimated through a rectangle, as in SAELens.
    """

    def __init__(self, *args: Any):
        super().__init__(*args)
        cfg = self.saes[0].cfg
        self.warm_up_steps, self.tanh_scale, self.bandwidth = (
            cfg.l0_warm_up_steps, cfg.jumprelu_tanh_scale, cfg.jumprelu_bandwidth
        )  # fmt: skip
        self.final_coefficient = self.params.new_tensor([sae.cfg.l0_coefficient for sae in self.saes]).view(-1, 1, 1)

    def _activate(self, s: Scratch) -> None:
        self.w.threshold.clamp_(min=0)
        self.excess = s.pre - self.w.threshold
        where_above(s.pre, self.excess, 0.0, out=s.z)
        self.norm = self.w.W_dec.norm(dim=2, keepdim=True)
        self.tanh = torch.tanh(s.z * (self.tanh_scale * self.norm))
        warmed_up = min(self.done / self.warm_up_steps, 1.0) if self.warm_up_steps else 1.0
        self.coefficient = self.final_coefficient * warmed_up

    def _backward(self, s: Scratch) -> None:
        torch.bmm(self.w.W_dec, s.wide, out=s.pre)
        slope = 1 - self.tanh.square()
        half = self.coefficient * self.tanh_scale / 2
        norm_gradient = half * (slope * s.z).sum(dim=2, keepdim=True)
        self.g.W_dec.add_(norm_gradient * self.w.W_dec / self.norm)
        s.pre.add_(slope.mul_(half * self.norm))
        near = self.excess.abs() < self.bandwidth / 2
        self.g.threshold.copy_(-(self.w.threshold / self.bandwidth) * (s.pre * near).sum(dim=2, keepdim=True))
        where_above(s.pre, self.excess, 0.0, out=s.pre)

    def _extra_loss(self, s: Scratch) -> Tensor:
        return self.coefficient.flatten() * self.tanh.sum(dim=(1, 2)) / s.z.shape[2]


def _topk_mask(values: Float[Tensor, "h b"], k: int) -> Float[Tensor, "h b"]:
    # Which of the values that tie are kept is SAELens's choice: that of `topk` over the batch's samples in their order.
    samples_first = values.T.contiguous()
    chosen = samples_first.flatten().topk(k).indices
    return torch.zeros_like(samples_first).flatten().index_fill_(0, chosen, 1).view_as(samples_first).T


def _least_positive(values: Tensor) -> float | None:
    positive = values[values > 0]
    return positive.min().item() if len(positive) else None
