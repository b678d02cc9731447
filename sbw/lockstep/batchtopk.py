"""BatchTopK's part of a training step: its activation, its auxiliary loss and its threshold.

Shapes: r replicas, h latents, b batch.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sbw.lockstep.replicas import Replicas, Scratch, Trained, where_above
from sbw.lockstep.selection import KthLargest
from sbw.saes.transition import schedule_of


class _Revived(NamedTuple):
    """The auxiliary loss of a replica: its dead latents reconstruct what the others leave over."""

    i: int
    """The replica."""
    dead: Bool[Tensor, " h"]
    scale: float
    """Of the auxiliary loss."""
    z: Float[Tensor, "n b"]
    """Activations of its n dead latents."""


class BatchTopKReplicas(Replicas):
    """BatchTopK with its auxiliary loss and threshold.

    With the norms n_j = ‖W_dec[j]‖, z = pre·n/n where pre·n is among the k·b greatest and above 0, else 0. The norms
    cancel, so that the gradient of pre is that of z; SAELens's autograd adds up terms that come to the same.
    """

    def __init__(self, *args: Any):
        super().__init__(*args)
        self.schedules = [schedule_of(sae) for sae in self.saes]
        self.kth_largest = [KthLargest() for _ in self.saes]
        self.thresholds = [sae.topk_threshold.item() for sae in self.saes]

    def trained(self) -> Trained:
        """The trained SAEs, with their thresholds."""
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
            least = kth.value if kth.value > 0 else _least_positive(pre)
            if least is not None:
                rate = self.saes[i].cfg.topk_threshold_lr
                self.thresholds[i] = (1 - rate) * self.thresholds[i] + rate * least
        self.inverse_norm = norm.reciprocal()
        s.z.mul_(self.inverse_norm)
        dead = self._dead()
        self.revived = [] if dead is None else [self._revive(i, dead[i], s) for i in range(self.r) if dead[i].any()]

    def _backward(self, s: Scratch) -> None:
        torch.bmm(self.w.W_dec, s.wide, out=s.pre)
        where_above(s.pre, s.z, 0.0, out=s.pre)
        for revived in self.revived:
            s.pre[revived.i, revived.dead] += self._revived_gradient(revived, s)

    def _revived_gradient(self, revived: _Revived, s: Scratch) -> Float[Tensor, "n b"]:
        """The auxiliary loss's gradient of the dead latents' pre-activations; that of their decoder rows is added."""
        i, dead, scale, z = revived
        W_dec = self.w.W_dec[i, dead]
        error = W_dec.T @ z + s.wide[i]
        self.g.W_dec[i, dead] += scale * z @ error.T
        return scale * (W_dec @ error) * (z != 0)

    def _extra_loss(self, s: Scratch) -> Tensor:
        loss = s.wide.new_zeros(self.r)
        for i, dead, scale, z in self.revived:
            loss[i] = scale * (self.w.W_dec[i, dead].T @ z + s.wide[i]).square().sum() / z.shape[1]
        return loss

    def _revive(self, i: int, dead: Bool[Tensor, " h"], s: Scratch) -> _Revived:
        # Active are the dead latents with the greatest pre·n, half as many as the activations are wide.
        num_dead, half = int(dead.sum()), self.d // 2
        z = s.pre[i, dead]
        if half < num_dead:
            values, chosen = z.topk(half, dim=0)
            z = torch.zeros_like(z).scatter_(0, chosen, values)
        scale = self.saes[i].cfg.aux_loss_coefficient * min(num_dead / half, 1.0)
        return _Revived(i, dead, scale, z * self.inverse_norm[i, dead])


def _topk_mask(values: Float[Tensor, "h b"], k: int) -> Float[Tensor, "h b"]:
    # Of values that tie, SAELens keeps those that `topk` over the samples in their order keeps.
    samples_first = values.T.contiguous()
    chosen = samples_first.flatten().topk(k).indices
    return torch.zeros_like(samples_first).flatten().index_fill_(0, chosen, 1).view_as(samples_first).T


def _least_positive(values: Tensor) -> float | None:
    positive = values[values > 0]
    return positive.min().item() if len(positive) else None
