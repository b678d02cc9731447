"""Matching pursuit: exact where directions are orthonormal, and as good as its support allows where they overlap."""

import pytest
import torch
from scipy.optimize import nnls
from torch import Tensor
from torch.nn.functional import normalize

from sbw.metrics.pursuit import pursue
from sbw.toy.generators import seeded

ROWS, H, D = 200, 10, 12


def orthonormal() -> Tensor:
    return torch.linalg.qr(torch.randn(D, H, generator=seeded(0))).Q.T


def overlapping() -> Tensor:
    """Orthonormal but for the first two, whose cosine is 0.6."""
    directions = orthonormal()
    directions[1] = 0.6 * directions[0] + 0.8 * directions[1]
    return directions


def sparse_codes(rate: float = 0.4) -> Tensor:
    active = torch.rand(ROWS, H, generator=seeded(1)) < rate
    return active * (0.5 + torch.rand(ROWS, H, generator=seeded(2)))


def squared_errors(centred: Tensor, codes: Tensor, directions: Tensor) -> Tensor:
    return (centred - codes @ directions).square().sum(dim=1)


def test_it_finds_the_codes_of_orthonormal_directions() -> None:
    codes = sparse_codes()
    found = pursue(codes @ orthonormal(), orthonormal(), (codes > 0).sum(dim=1))
    torch.testing.assert_close(found, codes, atol=1e-5, rtol=0)


def test_of_orthonormal_directions_it_takes_the_strongest_as_many_as_the_count() -> None:
    codes, counts = sparse_codes(), torch.arange(ROWS) % 4
    found = pursue(codes @ orthonormal(), orthonormal(), counts)
    for row, of_row, count in zip(found, codes, counts.tolist(), strict=True):
        strongest = of_row.sort(descending=True)
        expected = torch.zeros(H).scatter(0, strongest.indices[:count], strongest.values[:count])
        torch.testing.assert_close(row, expected, atol=1e-5, rtol=0)


def test_it_takes_no_more_latents_than_the_count_and_no_negative_codes() -> None:
    directions = normalize(torch.randn(H, D, generator=seeded(3)), dim=1)
    counts = torch.arange(ROWS) % (H + 3)
    found = pursue(torch.randn(ROWS, D, generator=seeded(4)), directions, counts)
    assert found.min() == 0
    assert ((found > 0).sum(dim=1) <= counts).all()
    assert ((found > 0).sum(dim=1)[counts > 0] > 0).all()


@pytest.mark.parametrize("counts", [torch.zeros(ROWS, dtype=torch.long), torch.arange(ROWS) % 2])
def test_a_count_of_none_gives_no_codes(counts: Tensor) -> None:
    found = pursue(sparse_codes(0.8) @ orthonormal(), orthonormal(), counts)
    assert (found[counts == 0] == 0).all()
    assert torch.equal(found.any(dim=1), counts > 0)


def test_it_explains_an_overlap_away_that_a_linear_encoder_counts_twice() -> None:
    codes, directions = sparse_codes(), overlapping()
    centred = codes @ directions + 0.05 * torch.randn(ROWS, D, generator=seeded(5))
    found = pursue(centred, directions, (codes > 0).sum(dim=1))
    linear = (centred @ directions.T).relu() * (found > 0)
    errors, of_linear = (squared_errors(centred, of_both, directions) for of_both in (found, linear))
    assert (errors <= of_linear * (1 + 1e-5) + 1e-6).all()
    twice = (found[:, :2] > 0).all(dim=1)
    assert errors[twice].mean() < 0.1 * of_linear[twice].mean()


@pytest.mark.parametrize("directions", [overlapping(), normalize(torch.randn(H, D, generator=seeded(3)), dim=1)])
def test_its_error_is_the_least_that_its_latents_can_have(directions: Tensor) -> None:
    centred = sparse_codes() @ directions + 0.2 * torch.randn(ROWS, D, generator=seeded(5))
    found = pursue(centred, directions, torch.full((ROWS,), 3))
    errors = squared_errors(centred, found, directions).tolist()
    for x, codes, error in zip(centred.double(), found, errors, strict=True):
        _, least = nnls(directions[codes > 0].T.double().numpy(), x.numpy())
        assert error == pytest.approx(least**2, rel=1e-3)
