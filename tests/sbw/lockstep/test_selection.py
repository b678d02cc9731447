"""The k-th largest is exact wherever the bracket lies, and ties are counted."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sbw.lockstep.selection import KthLargest, kth_on_device
from sbw.toy.generators import seeded


@given(
    values=arrays(np.float32, st.integers(1, 60), elements=st.floats(-4, 4, width=16)),
    last=st.sampled_from([np.nan, 0.0, 0.5, -1.0, 3.0]),
    data=st.data(),
)
def test_is_what_sorting_finds(values: np.ndarray, last: float, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(values)))
    kth_largest = KthLargest(reach=0.5)
    kth_largest.last = last
    value, cut, surplus = kth_largest(torch.from_numpy(values), k)
    assert kth_on_device(torch.from_numpy(values), k) == (value, cut, surplus)
    assert value == np.sort(values)[::-1][k - 1]
    assert (values > cut).sum() == k + surplus
    assert (values > value).sum() < k


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_follows_values_that_drift_and_jump(dtype: torch.dtype) -> None:
    values = torch.randn(50, 64, generator=seeded(0), dtype=dtype)
    kth_largest = KthLargest()
    for scale in (1.0, 1.01, 1.05, 4.0, 0.1, -1.0):
        found = kth_largest(values * scale, 700)
        assert found.value == (values * scale).flatten().topk(700).values[-1].item()
        assert found.surplus == 0
        assert kth_on_device(values * scale, 700) == found
