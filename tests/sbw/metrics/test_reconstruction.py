"""The two kinds of variance explained, by hand and against SAELens."""

import pytest
import torch
from sae_lens.evals import ExplainedVarianceCalculator

from sbw.metrics.reconstruction import reconstruction_errors
from sbw.toy.generators import seeded


def test_by_hand() -> None:
    x = torch.tensor([[2.0, 0.0], [4.0, 0.0]])
    x_hat = torch.tensor([[2.0, 1.0], [3.0, 0.0]])
    result = reconstruction_errors(x, x_hat)
    assert result.mse == 1
    assert result.variance_explained_about_zero == pytest.approx(1 - 1 / 10)
    assert result.variance_explained_about_mean == pytest.approx(1 - 1 / 1)


def test_about_mean_is_saelens() -> None:
    x = torch.randn(500, 8, generator=seeded(0)) + 3
    x_hat = x + 0.3 * torch.randn(500, 8, generator=seeded(1))
    theirs = ExplainedVarianceCalculator()
    theirs.add_batch(x_hat, x)
    assert reconstruction_errors(x, x_hat).variance_explained_about_mean == pytest.approx(theirs.compute(), abs=1e-5)
