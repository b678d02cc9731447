"""The two-feature example: the paper's two losses, and each formula against the SAE that it describes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sbw.metrics.coherence import coherence
from sbw.metrics.theory import (
    PAPER_ALPHA,
    PAPER_BOTH,
    PAPER_FIRST,
    best_alpha,
    cancelling_coherence,
    mixed_coherence,
    top1_loss,
)

shares, probabilities = st.floats(0.5, 1), st.floats(0, 0.5)


def reconstruct(x: NDArray[np.floating], latents: NDArray[np.floating]) -> NDArray[np.floating]:
    """A tied SAE that keeps the greatest of its latents per sample."""
    acts = np.maximum(x @ latents.T, 0)
    return (
        np.where(acts == acts.max(axis=1, keepdims=True), acts, 0)[:, :1] * latents[0]
        + np.where(acts[:, :1] < acts[:, 1:], acts[:, 1:], 0) * latents[1]
    )


def enumerated(alpha: float, first: float, second: float, both: float, *, second_mixes: bool) -> float:
    """The loss from its definition, over the three events in which something fires."""
    own, other = alpha / np.hypot(alpha, 1 - alpha), (1 - alpha) / np.hypot(alpha, 1 - alpha)
    latents = np.array([[own, other], [other, own] if second_mixes else [0, 1]])
    x = np.array([[1.0, 0], [0, 1], [1, 1]])
    errors = ((x - reconstruct(x, latents)) ** 2).sum(axis=1)
    return float(errors @ [first, second, both])


def test_it_gives_the_losses_that_the_paper_prints() -> None:
    assert f"{top1_loss(1, PAPER_FIRST, PAPER_BOTH):.1f}" == "0.4"
    assert f"{top1_loss(PAPER_ALPHA, PAPER_FIRST, PAPER_BOTH):.3f}" == "0.154"


def test_no_other_round_share_and_probabilities_give_both_losses() -> None:
    steps = [step / 20 for step in range(1, 20)]
    found = [
        (alpha, first, both)
        for alpha in steps
        for first in steps
        for both in steps
        if alpha >= 0.5
        and first + both <= 1
        and abs(top1_loss(1, first, both) - 0.4) < 5e-4
        and abs(top1_loss(alpha, first, both) - 0.154) < 5e-4
    ]
    assert found == [(PAPER_ALPHA, PAPER_FIRST, PAPER_BOTH)]


@pytest.mark.parametrize("second_mixes", [False, True])
@given(alpha=shares, first=probabilities, second=probabilities, both=probabilities)
def test_it_is_the_loss_of_an_sae_whose_latents_mix(
    alpha: float, first: float, second: float, both: float, *, second_mixes: bool
) -> None:
    loss = enumerated(alpha, first, second, both, second_mixes=second_mixes)
    assert loss == pytest.approx(top1_loss(alpha, first + second * second_mixes, both))


@given(first=st.floats(0.01, 1), both=st.floats(0, 1))
def test_the_best_share_is_best(first: float, both: float) -> None:
    grid = [top1_loss(alpha, first, both) for alpha in np.linspace(0.5, 1, 501)]
    best = best_alpha(first, both)
    assert 0.5 <= best <= 1
    assert top1_loss(best, first, both) <= min(grid) + 1e-12


def test_features_that_never_fire_alone_are_mixed_equally_and_those_that_never_fire_together_not_at_all() -> None:
    assert best_alpha(0, 0.3) == 0.5
    assert top1_loss(0.5, 0, 0.3) == 0
    assert best_alpha(0.3, 0) == 1


def test_the_slope_at_clean_latents_is_twice_the_probability_of_both() -> None:
    slope = (top1_loss(1, 0.3, 0.2) - top1_loss(1 - 1e-6, 0.3, 0.2)) / 1e-6
    assert slope == pytest.approx(0.4, abs=1e-4)


EVENTS = np.array([[1.0, 0], [0, 1], [1, 1], [0, 0]])
DRAWS = 20_000


def drawn(first: float, second: float, both: float) -> NDArray[np.floating]:
    """Samples of the two features."""
    generator = np.random.default_rng(3)
    return EVENTS[generator.choice(4, DRAWS, p=[first, second, both, max(0, 1 - first - second - both)])]


def kappa(codes: NDArray[np.floating], latents: NDArray[np.floating]) -> float:
    return coherence(torch.tensor(codes), torch.tensor(latents))


@pytest.mark.parametrize("alpha", [0.5, 0.6, 0.9, 1.2])
@pytest.mark.parametrize(("first", "second", "both"), [(0.4, 0.2, 0.4), (0.1, 0.1, 0.3), (0.4, 0.4, 0.02)])
def test_mixed_coherence_is_that_of_latents_active_with_their_features(
    alpha: float, first: float, second: float, both: float
) -> None:
    x = drawn(first, second, both)
    latents = np.array([[alpha, 1 - alpha] / np.hypot(alpha, 1 - alpha), [0, 1]])
    assert kappa(x @ latents.T * x, latents) == pytest.approx(mixed_coherence(alpha, first, second, both), abs=0.01)


@pytest.mark.parametrize(("first", "second", "both"), [(0.4, 0.2, 0.4), (0.1, 0.1, 0.3), (0.4, 0.4, 0.02)])
def test_cancelling_coherence_is_that_of_latents_that_cancel_in_an_exact_reconstruction(
    first: float, second: float, both: float
) -> None:
    x = drawn(first, second, both)
    latents = np.array([[0, 1], [1 / np.sqrt(2), 1 / np.sqrt(2)], [0, -1]])
    f1, f2 = x.T
    codes = np.stack([f2 * (1 - f1), np.sqrt(2) * f1, f1 * (1 - f2)], axis=1)
    np.testing.assert_allclose(codes @ latents, x, atol=1e-12)
    assert kappa(codes, latents) == pytest.approx(cancelling_coherence(first, second, both), abs=0.01)


@given(first=probabilities, second=probabilities, both=st.floats(0.01, 0.5))
def test_clean_latents_have_no_coherence_however_the_features_correlate(
    first: float, second: float, both: float
) -> None:
    assert mixed_coherence(1, first, second, both) == 0


def test_coherence_has_the_sign_of_the_mixing_and_is_negative_where_latents_cancel() -> None:
    assert mixed_coherence(0.5, 0, 0, 1) == pytest.approx(2 / 3)  # z = √2 and 1 at a cosine of 1/√2
    assert mixed_coherence(0.5, 1, 0, 1) == pytest.approx(4 / 7)
    assert mixed_coherence(2, 0, 0, 1) == pytest.approx(-1 / 3)  # z = 1/√5 and 1 at a cosine of -1/√5
    assert cancelling_coherence(1, 0, 0) == pytest.approx(-2 / 3)  # z = √2 and 1 at a cosine of -1/√2
    assert cancelling_coherence(0.25, 0.25, 0.5) == pytest.approx(-0.25)
    assert cancelling_coherence(0, 0.5, 0.5) == 0
