"""JumpReLU's part of a training step: its activation, its sparsity loss and its threshold's gradient.

Shapes: r replicas, h latents, b batch.
"""

from typing import Any

import torch
from torch import Tensor

from sbw.lockstep.replicas import Replicas, Scratch, where_above


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
