"""Coherence, its null, its share per latent and co-firing: by hand, by their definitions, and 0 for true features."""

import math
from itertools import combinations, product

import numpy as np
import pytest
import torch
from torch import Tensor

from sbw.metrics.coherence import co_firing, coherence, coherence_null, latent_coherence
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


def active(rows: int, h: int, d: int) -> tuple[Tensor, Tensor]:
    """Codes, about half of them 0, and decoder rows of no certain norm."""
    codes = torch.randn(rows, h, generator=seeded(2)).relu()
    return codes, torch.randn(h, d, generator=seeded(3))


def test_the_null_is_the_spread_of_coherence_over_all_ways_to_turn_rows_round() -> None:
    codes, W_dec = active(200, 6, 4)
    turned = [coherence(codes, W_dec * torch.tensor(signs)[:, None]) for signs in product([1.0, -1.0], repeat=6)]
    assert np.mean(turned) == pytest.approx(0, abs=1e-6)
    assert coherence_null(codes, W_dec) == pytest.approx(np.std(turned), rel=1e-4)


def test_the_mean_of_the_latents_coherence_by_their_power_is_coherence_and_a_dead_one_has_none() -> None:
    codes, W_dec = active(200, 6, 4)
    codes[:, 2] = 0
    of_latents = latent_coherence(codes, W_dec)
    assert of_latents.isnan().tolist() == [i == 2 for i in range(6)]
    power = (codes * W_dec.norm(dim=1)).square().mean(dim=0).double()
    mean = (power * of_latents.nan_to_num()).sum() / power.sum()
    assert mean.item() == pytest.approx(coherence(codes, W_dec), rel=1e-5)


def test_a_latents_coherence_by_hand() -> None:
    of_latents = latent_coherence(torch.ones(5, 3), torch.tensor([[1.0, 0], [2, 0], [0, -3]]))
    assert of_latents.tolist() == pytest.approx([2, 0.5, 0])


def test_none_changes_where_decoder_rows_grow_and_codes_shrink() -> None:
    codes, W_dec = active(200, 6, 4)
    scale = torch.tensor([0.1, 0.5, 1, 2, 5, 20])
    for metric in (coherence, coherence_null, co_firing):
        assert metric(codes / scale, W_dec * scale[:, None]) == pytest.approx(metric(codes, W_dec), rel=1e-4)
    torch.testing.assert_close(latent_coherence(codes / scale, W_dec * scale[:, None]), latent_coherence(codes, W_dec))


def test_co_firing_is_the_correlation_over_pairs_of_what_each_has() -> None:
    codes, W_dec = active(200, 6, 4)
    codes[:, 0], codes[:, 5] = 0, 1  # never and always: no correlation
    fires, directions = (codes > 0).numpy(), W_dec.numpy()
    together, cosines = [], []
    for i, j in combinations(range(1, 5), 2):
        together.append(np.corrcoef(fires[:, i], fires[:, j])[0, 1])
        cosines.append(directions[i] @ directions[j] / np.linalg.norm(directions[i]) / np.linalg.norm(directions[j]))
    assert co_firing(codes, W_dec) == pytest.approx(np.corrcoef(together, cosines)[0, 1], rel=1e-4)


def test_co_firing_is_one_where_latents_that_fire_together_are_alike_and_whatever_the_strength() -> None:
    fires = torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0]])
    W_dec = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    strengths = torch.rand(4, 4, generator=seeded(0)) + 0.1
    assert co_firing(fires, W_dec) == pytest.approx(1)
    assert co_firing(fires * strengths, W_dec * 7) == pytest.approx(1)


def test_fewer_than_three_latents_that_fire_at_times_have_no_co_firing() -> None:
    codes = torch.tensor([[1.0, 0, 1, 0], [0, 1, 1, 0], [1, 1, 1, 0]])
    assert co_firing(codes, torch.rand(4, 3, generator=seeded(0))) == 0
