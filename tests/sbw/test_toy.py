"""The main toy is the paper's: its L0, its correlations, its features."""

from pathlib import Path

import pytest
import torch
from sae_lens.synthetic import SyntheticActivationIterator

from sbw.params import Correlation, ToyParams, load_params
from sbw.rng import drawing_from, seeded
from sbw.toy import (
    Toy,
    build_toy,
    correlation_table,
    feature_table,
    load_sample,
    load_toy,
    random_correlation_matrix,
    save_toy,
    toy_stats,
    with_hub,
)
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def params() -> ToyParams:
    return load_params(ROOT / "params.yaml").toys["main"]


@pytest.fixture(scope="module")
def toy(params: ToyParams) -> Toy:
    return build_toy(params)


@pytest.fixture(scope="module")
def correlation(params: ToyParams) -> Correlation:
    assert params.correlation
    return params.correlation


def test_true_l0_is_the_papers(toy: Toy) -> None:
    stats = toy_stats(toy, toy.sample(100_000, seeded(0)))
    assert stats["sum_of_firing_probabilities"] == pytest.approx(10.9525, abs=1e-5)
    assert stats["true_l0"] == pytest.approx(10.9525, abs=0.05)


def test_firing_probabilities_follow_the_papers_formula(toy: Toy) -> None:
    expected = 0.345 * (49 - torch.arange(50)) / 50 + 0.05
    torch.testing.assert_close(toy.activations.firing_probabilities, expected)


def test_features_are_orthonormal(toy: Toy) -> None:
    vectors = toy.features.feature_vectors.detach()
    torch.testing.assert_close(vectors @ vectors.T, torch.eye(50), atol=1e-4, rtol=0)


def test_features_fire_as_often_and_as_strongly_as_asked(toy: Toy) -> None:
    acts = toy.sample(200_000, seeded(1))
    fired = acts > 0
    torch.testing.assert_close(fired.float().mean(0), toy.activations.firing_probabilities, atol=0.006, rtol=0)
    assert acts[fired].mean().item() == pytest.approx(1, abs=0.002)
    assert acts[fired].std().item() == pytest.approx(0.15, abs=0.002)


def test_correlations_before_the_clipping_are_the_papers(correlation: Correlation) -> None:
    # Weak correlations need no clipping, so that every pair keeps the value that was drawn for it.
    weak = correlation.model_copy(update={"min_strength": 0.003, "max_strength": 0.009})
    matrix = random_correlation_matrix(50, weak)
    pairs = matrix[*torch.triu_indices(50, 50, offset=1)]
    assert (pairs == 0).sum() == int(0.3 * 1225)
    assert (pairs > 0).sum() == (1225 - int(0.3 * 1225)) // 2
    strengths = pairs[pairs != 0].abs()
    assert strengths.min() >= 0.003
    assert strengths.max() <= 0.009


def test_correlation_matrix_is_valid_and_its_own_seeds(correlation: Correlation) -> None:
    matrix = random_correlation_matrix(50, correlation)
    assert torch.equal(matrix, random_correlation_matrix(50, correlation))
    assert not torch.equal(matrix, random_correlation_matrix(50, correlation.model_copy(update={"seed": 43})))
    torch.testing.assert_close(matrix, matrix.T, atol=1e-6, rtol=0)
    assert torch.equal(matrix.diagonal(), torch.ones(50))
    assert torch.linalg.eigvalsh(matrix.double()).min() > 0


def test_seed_42_names_the_matrix_of_the_papers_public_code(correlation: Correlation) -> None:
    # Entries of what the public code's generate_random_correlation_matrix gives for these settings.
    matrix = random_correlation_matrix(50, correlation)
    expected = {(0, 1): -0.196769, (3, 7): -0.088962, (12, 40): 0.229043, (20, 21): -0.172365, (48, 49): 0.117246}
    for (i, j), value in expected.items():
        assert matrix[i, j].item() == pytest.approx(value, abs=1e-4)


def test_positively_correlated_features_fire_together(toy: Toy) -> None:
    matrix = toy.activations.correlation_matrix
    assert matrix is not None
    fired = (toy.sample(200_000, seeded(2)) > 0).float()
    observed = torch.corrcoef(fired.T)
    upper = torch.triu_indices(50, 50, offset=1)
    together = torch.corrcoef(torch.stack([matrix[*upper], observed[*upper]]))[0, 1]
    assert together > 0.95


def test_a_sample_is_its_generators_alone(toy: Toy) -> None:
    torch.rand(3)
    first = toy.sample(100, seeded(5))
    torch.rand(3)
    assert torch.equal(first, toy.sample(100, seeded(5)))
    assert not torch.equal(first, toy.sample(100, seeded(6)))


def test_draws_what_saelens_draws(toy: Toy) -> None:
    with drawing_from(seeded(7)):
        expected = SyntheticActivationIterator(toy.features, toy.activations, batch_size=64).next_batch()
    assert torch.equal(toy.embed(toy.sample(64, seeded(7))), expected)


def test_stream_draws_what_sample_draws(toy: Toy) -> None:
    stream, generator = toy.stream(64, seeded(7)), seeded(7)
    for _ in range(3):
        torch.testing.assert_close(next(stream), toy.embed(toy.sample(64, generator)))


def test_saved_toy_is_the_toy(toy: Toy, tmp_path: Path) -> None:
    acts = toy.sample(64, seeded(0))
    save_toy(toy, acts, tmp_path)
    loaded = load_toy(tmp_path)
    assert torch.equal(loaded.sample(32, seeded(9)), toy.sample(32, seeded(9)))
    sample = load_sample(loaded, tmp_path)
    assert torch.equal(sample.feature_acts, acts)
    assert torch.equal(sample.activations, toy.embed(acts))
    with pytest.raises(FileNotFoundError):
        load_toy(tmp_path / "nowhere")


def test_tables_say_what_the_toy_is(toy: Toy) -> None:
    features, correlations = feature_table(toy), correlation_table(toy)
    assert features["firing_probability"].tolist() == toy.activations.firing_probabilities.double().tolist()
    matrix = toy.activations.correlation_matrix
    assert matrix is not None
    row = correlations.iloc[3 * 50 + 7]
    assert (row.feature_i, row.feature_j, row.correlation) == (3, 7, matrix[3, 7].item())


def test_few_orthogonalisation_steps_leave_superposition() -> None:
    cosines = [
        torch.triu(vectors @ vectors.T, 1).abs().max().item()
        for name in ("five", "five_superposed")
        for vectors in [build_toy(load_params(ROOT / "params.yaml").toys[name]).features.feature_vectors.detach()]
    ]
    assert cosines[0] < 1e-3
    assert cosines[1] > 0.1


def test_zipf_rates_fall_as_the_inverse_rank_and_sum_to_two() -> None:
    rates = build_toy(load_params(ROOT / "params.yaml").toys["five_zipf"]).activations.firing_probabilities
    steps = rates - rates[-1]
    torch.testing.assert_close(steps / steps[0], (1 / torch.arange(1, 6) - 0.2) / 0.8)
    assert rates.sum().item() == pytest.approx(2, abs=1e-3)


@pytest.mark.parametrize("rho", [-0.5, -0.4, 0.0, 0.5])
def test_a_hub_is_correlated_with_all_others_and_they_with_none(rho: float) -> None:
    toy = with_hub(build_toy(load_params(ROOT / "params.yaml").toys["five"]), rho)
    fired = (toy.sample(200_000, seeded(0)) > 0).double()
    torch.testing.assert_close(fired.mean(0), torch.full((5,), 0.4, dtype=torch.float64), atol=0.005, rtol=0)
    correlations = torch.corrcoef(fired.T)
    assert correlations[1:, 1:].fill_diagonal_(0).abs().max() < 0.01
    assert (correlations[0, 1:].sign() == torch.tensor(rho).sign()).all() or rho == 0
    assert correlations[0, 1:].abs().max() < abs(rho) + 0.01
    assert correlations[0, 1:].abs().min() > 0.6 * abs(rho) - 0.01
