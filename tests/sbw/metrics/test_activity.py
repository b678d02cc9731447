"""How strongly latents are active, by hand."""

import math

import pytest
import torch

from sbw.metrics.activity import activity
from sbw.toy.generators import seeded


def test_it_is_of_the_active_codes_in_units_of_the_activations() -> None:
    codes, W_dec = torch.tensor([[1.0, 0], [3, 2]]), torch.tensor([[0.0, 1], [2, 0]])
    found = activity(codes, W_dec)  # z = 1, 3 and 4
    assert found.weakest == pytest.approx(1 / (8 / 3))
    assert found.spread == pytest.approx(math.sqrt(14 / 9) / (8 / 3))


def test_the_weakest_are_a_twentieth() -> None:
    codes = torch.arange(1.0, 101).flip(0).view(50, 2)
    assert activity(codes, torch.eye(2)).weakest == pytest.approx(5 / 50.5)
    assert activity(torch.full((50, 2), 3.0), torch.eye(2)) == (1, 0)


def test_weak_codes_beside_the_same_strong_ones_lower_the_weakest_and_widen_the_spread() -> None:
    strong = 1 + 0.1 * torch.rand(100, 4, generator=seeded(0))
    none, few, many = (activity(torch.cat([strong, 0.1 * strong[:rows]]), torch.eye(4)) for rows in (0, 1, 20))
    assert many.weakest < 0.2 < 0.9 < min(few.weakest, none.weakest)
    assert none.spread < few.spread < many.spread


def test_there_is_none_where_no_latent_is_active() -> None:
    assert all(math.isnan(value) for value in activity(torch.zeros(3, 2), torch.eye(2)))


def test_it_does_not_change_where_decoder_rows_grow_and_codes_shrink() -> None:
    codes, W_dec = torch.randn(50, 4, generator=seeded(1)).relu(), torch.randn(4, 3, generator=seeded(2))
    scale = torch.tensor([0.1, 1, 3, 20])
    assert activity(codes / scale, W_dec * scale[:, None]) == pytest.approx(activity(codes, W_dec), rel=1e-5)
