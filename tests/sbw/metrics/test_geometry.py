"""Cosines, c_dec and matching against decoders for which they are known."""

import pytest
import torch
from sae_lens.synthetic import mean_correlation_coefficient

from sbw.metrics.geometry import (
    cosine_similarities,
    latent_mixing,
    match_features,
    null_pairwise_cosine,
    pairwise_cosine,
)
from sbw.toy.generators import seeded


@pytest.mark.parametrize(
    ("rows", "c_dec"),
    [
        ([[1.0, 0, 0], [0, 2, 0], [0, 0, 3]], 0),
        ([[2.0, 0], [-3, 0], [1, 0]], 1),
        ([[1.0, 0], [0, 1], [1, 1]], (0 + 2 / 2**0.5) / 3),
    ],
)
def test_pairwise_cosine_is_the_mean_over_pairs(rows: list[list[float]], c_dec: float) -> None:
    assert pairwise_cosine(torch.tensor(rows)) == pytest.approx(c_dec, abs=0 if c_dec == 0 else None)


@pytest.mark.parametrize("block", [1, 7, 30, 31, 64])
def test_blocks_add_up_to_all_pairs(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = torch.randn(31, 12, generator=seeded(0))
    cosines = cosine_similarities(rows, rows).abs().double()
    monkeypatch.setattr("sbw.metrics.geometry._BLOCK", block)
    assert pairwise_cosine(rows) == pytest.approx(cosines.triu(diagonal=1).sum().item() / (31 * 30 / 2))


def test_random_rows_have_the_null() -> None:
    assert null_pairwise_cosine(100) == pytest.approx(0.0798, abs=1e-4)
    rows = torch.randn(2_000, 100, generator=seeded(0))
    assert pairwise_cosine(rows) == pytest.approx(null_pairwise_cosine(100), rel=0.01)


def test_cosines_are_signed_and_zero_rows_have_zero() -> None:
    a, b = torch.tensor([[-2.0, 0.0], [0.0, 0.0]]), torch.tensor([[3.0, 0.0], [1.0, 1.0]])
    torch.testing.assert_close(cosine_similarities(a, b), torch.tensor([[-1.0, -(0.5**0.5)], [0.0, 0.0]]))


def test_matching_undoes_a_permutation_whatever_the_signs() -> None:
    order = torch.randperm(9, generator=seeded(0))
    truth = torch.eye(9)
    assert torch.equal(match_features(cosine_similarities(-truth[order], truth)), order)


@pytest.mark.parametrize(("latents", "features"), [(6, 9), (9, 6)])
def test_matching_gives_the_mean_that_mcc_reports(latents: int, features: int) -> None:
    a, b = torch.randn(latents, 12, generator=seeded(0)), torch.randn(features, 12, generator=seeded(1))
    cosines = cosine_similarities(a, b)
    matched = match_features(cosines)
    found = matched >= 0
    assert found.sum() == min(latents, features)
    assert cosines.abs()[found, matched[found]].mean().item() == pytest.approx(mean_correlation_coefficient(a, b))


def test_mixing_is_signed_and_of_the_latents_of_other_features_whatever_their_order() -> None:
    decoder = torch.tensor([[-0.3, 0.0, 0.9], [0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])  # of features 2, 0 and 1
    latents, values = latent_mixing(decoder, torch.eye(3), feature=0)
    assert latents.tolist() == [0, 2]
    torch.testing.assert_close(values, torch.tensor([-0.3, 0.2]))


def test_features_own_cosines_and_latents_without_a_feature_are_no_mixing() -> None:
    features = torch.tensor([[1.0, 0.25], [0.25, 1.0]])
    latents, values = latent_mixing(features, features, feature=0)
    assert (latents.tolist(), values.tolist()) == ([1], [0])
    latents, _ = latent_mixing(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]), torch.eye(2), feature=0)
    assert latents.tolist() == [1]
