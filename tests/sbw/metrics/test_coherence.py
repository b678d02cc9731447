"""Coherence by hand, and its signs on a toy: above 0 where L0 is too low, 0 for the true features."""

import math

import pytest
import torch

from sbw.metrics.coherence import coherence
from sbw.saes.untrained import true_sae
from sbw.toy.generators import seeded
from sbw.toy.model import Toy


@pytest.mark.parametrize("degrees", [0, 60, 90, 120])
def test_two_latents_always_active_together_have_the_cosine_between_them(degrees: float) -> None:
    angle = math.radians(degrees)
    W_dec = torch.tensor([[1.0, 0.0], [math.cos(angle), math.sin(angle)]])
    assert coherence(torch.ones(5, 2), W_dec) == pytest.approx(math.cos(angle), abs=1e-6)


def test_it_is_the_sum_over_pairs_whatever_the_norms_of_the_rows() -> None:
    codes, W_dec = torch.rand(40, 6, generator=seeded(0)), torch.randn(6, 4, generator=seeded(1))
    norms = W_dec.norm(dim=1)
    z, u = codes * norms, W_dec / norms[:, None]
    pairs = torch.einsum("bi,bj,ij->", z, z, (u @ u.T).fill_diagonal_(0))
    assert coherence(codes, W_dec) == pytest.approx((pairs / z.square().sum()).item(), rel=1e-5)
    assert coherence(codes / norms, u * norms[:, None] ** 2) == pytest.approx(coherence(codes, W_dec), rel=1e-5)


def test_orthogonal_features_have_none_and_nothing_active_has_no_value(toy: Toy) -> None:
    sample = toy.embed(toy.sample(2_000, seeded(0)))
    sae = true_sae(11, toy.features)
    with torch.no_grad():
        codes = sae.encode(sample)
    assert coherence(codes, sae.W_dec.detach()) == pytest.approx(0, abs=1e-3)
    assert math.isnan(coherence(torch.zeros(3, 2), torch.eye(2)))
