"""JumpReLU's part of a training step: its activation, its sparsity loss and its threshold's gradient.

Shapes: r replicas, h latents, b batch.
"""

from typing import Any

import torch
from torch import Tensor

from sbw.lockstep.replicas import Replicas, Scratch, where_above, where_within


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
        self.one = self.params.new_ones(1)
        self.excess = self.tanh = self.terms = self.scratch.pre  # of no batch yet
        self.final_coefficient = self.params.new_tensor([sae.cfg.l0_coefficient for sae in self.saes]).view(-1, 1, 1)

    def _activate(self, s: Scratch) -> None:
        self.w.threshold.clamp_(min=0)
        if self.excess.shape != s.pre.shape:
            self.excess, self.tanh, self.terms = (torch.empty_like(s.pre) for _ in range(3))
        torch.sub(s.pre, self.w.threshold, out=self.excess)
        where_above(s.pre, self.excess, 0.0, out=s.z)
        self.norm = self.w.W_dec.norm(dim=2, keepdim=True)
        torch.mul(s.z, self.tanh_scale * self.norm, out=self.tanh).tanh_()
        warmed_up = min(self.done / self.warm_up_steps, 1.0) if self.warm_up_steps else 1.0
        self.coefficient = self.final_coefficient * warmed_up

    def _backward(self, s: Scratch) -> None:
        torch.bmm(self.w.W_dec, s.wide, out=s.pre)
        slope = torch.sub(self.one, torch.square(self.tanh, out=self.terms), out=self.tanh)
        half = self.coefficient * self.tanh_scale / 2
        norm_gradient = half * torch.mul(slope, s.z, out=self.terms).sum(dim=2, keepdim=True)
        self.g.W_dec.add_(norm_gradient * self.w.W_dec / self.norm)
        s.pre.add_(slope.mul_(half * self.norm))
        near = where_within(s.pre, self.excess, self.bandwidth / 2, out=self.terms)
        self.g.threshold.copy_(-(self.w.threshold / self.bandwidth) * near.sum(dim=2, keepdim=True))
        where_above(s.pre, self.excess, 0.0, out=s.pre)

    def _extra_loss(self, s: Scratch) -> Tensor:
        return self.coefficient.flatten() * self.tanh.sum(dim=(1, 2)) / s.z.shape[2]
