"""What passes a gate."""

import torch

from sbw.lockstep.gating import where_above


def test_where_above_keeps_what_exceeds_the_cut() -> None:
    values, gate = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.5, 0.6, 0.4])
    assert where_above(values, gate, 0.5).tolist() == [0, 2, 0]
    out = torch.empty(3)
    where_above(values, gate, 0.45, out=out)
    assert out.tolist() == [1, 2, 0]
