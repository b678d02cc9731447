"""s_n^dec against decoders for which it is known."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sbw.metrics.projection import decoder_projections, nth_projections, sampling_error
from sbw.toy.generators import seeded


def s_n(x: Tensor, W_dec: Tensor, b_dec: Tensor) -> Tensor:
    return nth_projections(decoder_projections(x, W_dec, b_dec))


def test_identity_decoder_gives_the_sorted_inputs() -> None:
    x = torch.tensor([[5.0, 1.0, 0.0], [4.0, 3.0, 2.0]])  # sorted: 5 4 3 2 1 0; indices 2 and 4
    assert s_n(x, torch.eye(3), torch.zeros(3)).tolist() == [3, 1]


def test_bias_is_taken_off_first() -> None:
    x, bias = torch.randn(20, 4, generator=seeded(0)), torch.tensor([1.0, -2.0, 0.5, 3.0])
    W_dec = torch.randn(6, 4, generator=seeded(1))
    torch.testing.assert_close(s_n(x, W_dec, bias), s_n(x - bias, W_dec, torch.zeros(4)))


@given(scales=st.lists(st.floats(0.01, 100), min_size=5, max_size=5))
def test_row_norms_do_not_matter(scales: list[float]) -> None:
    x, W_dec = torch.randn(30, 4, generator=seeded(0)), torch.randn(5, 4, generator=seeded(1))
    scaled = s_n(x, W_dec * torch.tensor(scales)[:, None], torch.zeros(4))
    torch.testing.assert_close(scaled, s_n(x, W_dec, torch.zeros(4)))


def test_s_n_keeps_n_latents_per_sample() -> None:
    x, W_dec = torch.randn(500, 8, generator=seeded(0)), torch.randn(6, 8, generator=seeded(1))
    values = x @ torch.nn.functional.normalize(W_dec, dim=1).T
    for n, threshold in enumerate(s_n(x, W_dec, torch.zeros(8)), start=1):
        assert (values > threshold).sum().item() / len(x) == pytest.approx(n)


def test_the_sampling_error_is_that_of_a_quantile() -> None:
    """Of two independent normals per row, s_1 is the median: its standard error is √(π / 2 / (2 rows))."""
    errors = [sampling_error(torch.randn(2_000, 2, generator=seeded(seed)), blocks=10).item() for seed in range(200)]
    assert torch.tensor(errors).square().mean().sqrt().item() == pytest.approx((torch.pi / 8_000) ** 0.5, rel=0.1)
