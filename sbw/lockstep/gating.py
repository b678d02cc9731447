"""What passes a gate, in one pass over memory."""

import torch
from torch import Tensor


def where_above(values: Tensor, gate: Tensor, cut: float, out: Tensor | None = None) -> Tensor:
    """The values where `gate` exceeds `cut`, else 0: one pass, without a mask of booleans."""
    backward = torch.ops.aten.threshold_backward  # of ReLU-like functions: lets the gradient through above the cut
    return backward(values, gate, cut) if out is None else backward.grad_input(values, gate, cut, grad_input=out)
