"""Tables and numbers say what a toy is, whatever its laws."""

from dataclasses import asdict

import pytest
import torch
from sae_lens.synthetic import compute_correlation_matrix_stats

from sbw.synthesis.statistics import MOST_PAIRED, correlation_table, feature_table, toy_stats
from sbw.toy.generators import seeded
from sbw.toy.model import Toy, true_l0
from tests.sbw.synthesis.test_laws import CORRELATIONS, TREES, copula, toy_of


def test_true_l0_is_the_papers(toy: Toy) -> None:
    stats = toy_stats(toy, toy.sample(100_000, seeded(0)))
    assert stats["sum_of_firing_probabilities"] == pytest.approx(10.9525, abs=1e-5)
    assert stats["true_l0"] == pytest.approx(10.9525, abs=0.05)


def test_tables_say_what_the_toy_is(toy: Toy) -> None:
    acts = toy.sample(100, seeded(0))
    features, correlations = feature_table(toy, acts), correlation_table(toy)
    assert features["firing_probability"].tolist() == toy.activations.firing_probabilities.double().tolist()
    assert features["firing_rate"].sum() == pytest.approx(true_l0(acts))
    matrix = toy.activations.correlation_matrix
    assert matrix is not None
    row = correlations.iloc[3 * 50 + 7]
    assert (row.feature_i, row.feature_j, row.correlation) == (3, 7, matrix[3, 7].item())


@pytest.mark.parametrize("law", CORRELATIONS)
def test_correlations_are_tabulated_for_every_law(law: str) -> None:
    tried = toy_of(correlation={"law": law, **CORRELATIONS[law]})
    matrix = copula(tried)
    table = torch.tensor(correlation_table(tried)["correlation"].to_numpy()).float().view(24, 24)
    torch.testing.assert_close(table, matrix, atol=1e-6, rtol=0)
    stats = toy_stats(tried, tried.sample(100, seeded(0)))["correlation"]
    assert stats == pytest.approx(asdict(compute_correlation_matrix_stats(matrix)), abs=1e-6)


def test_too_many_features_have_no_table_of_pairs() -> None:
    assert correlation_table(toy_of(num_features=MOST_PAIRED + 1)).empty


def test_a_hierarchy_lowers_the_true_l0() -> None:
    tried = toy_of(hierarchy=TREES)
    stats = toy_stats(tried, tried.sample(1000, seeded(0)))
    assert stats["true_l0"] < 0.7 * stats["sum_of_firing_probabilities"]
