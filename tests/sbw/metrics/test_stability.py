"""Two decoders agree as far as their latents can be matched."""

import math

import pytest
import torch

from sbw.metrics.stability import decoder_agreement
from sbw.toy.generators import seeded


def test_the_same_latents_in_another_order_sign_and_length_agree() -> None:
    a = torch.randn(20, 50, generator=seeded(0))
    b = -3 * a[torch.randperm(20, generator=seeded(1))]
    assert decoder_agreement(a, b) == pytest.approx(1, abs=1e-6)


def test_a_latent_is_matched_once() -> None:
    assert decoder_agreement(torch.eye(2), torch.tensor([[1.0, 0.0], [1.0, 0.0]])) == pytest.approx(0.5)


def test_latents_turned_by_an_angle_agree_by_its_cosine() -> None:
    angle = 0.3
    a = torch.eye(2, 4)
    b = math.cos(angle) * torch.eye(2, 4) + math.sin(angle) * torch.eye(4)[2:]
    assert decoder_agreement(a, b) == pytest.approx(math.cos(angle))
