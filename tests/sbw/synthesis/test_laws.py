"""Every law is what it says: rates, strengths, correlations, hierarchies and overlaps, within their sampling error."""

import re
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from scipy.stats import multivariate_normal
from torch import Tensor

from sbw.params import RandomCorrelation, ToyParams
from sbw.run.errors import UserError
from sbw.run.loading import load_params
from sbw.synthesis.laws import build_toy, random_correlation_matrix
from sbw.toy.generators import seeded
from sbw.toy.model import Toy
from tests.conftest import ROOT

ROWS = 100_000
FIVE_SIGMA = 5.0
RATES: dict[str, tuple[dict[str, Any], Any]] = {
    "linear": ({"max": 0.4, "min": 0.1}, lambda i, f: 0.4 - 0.3 * i / (f - 1)),
    "zipf": ({"max": 0.8, "min": 0.05, "exponent": 0.7},
             lambda i, f: 0.05 + 0.75 * ((i + 1) ** -0.7 - f**-0.7) / (1 - f**-0.7)),
    "constant": ({"probability": 0.2}, lambda i, _: torch.full_like(i, 0.2)),
}  # fmt: skip
MEANS: dict[str, tuple[dict[str, Any], Any]] = {
    "constant": ({"mean": 2.0}, lambda i, _: torch.full_like(i, 2.0)),
    "linear": ({"start": 3.0, "end": 1.0}, lambda i, f: 3 - 2 * i / (f - 1)),
    "exponential": ({"start": 4.0, "end": 1.0}, lambda i, f: 4 * 0.25 ** (i / (f - 1))),
}
CORRELATIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "pairs": {"pairs": [(0, 1, 0.8), (2, 7, -0.6)]},
    "random": {"uncorrelated": 0.3, "positive": 0.5, "min_strength": 0.2, "max_strength": 0.6, "seed": 1},
    "low_rank": {"rank": 3, "scale": 0.4, "seed": 1},
}
TREES = {"total_root_nodes": 3, "branching_factor": 3, "max_depth": 2}


def toy_of(**laws: Any) -> Toy:
    """A toy of 24 features in 32 dimensions, with those laws."""
    document = {
        "num_features": 24,
        "d_in": 32,
        "seed": 5,
        "orthogonalization_steps": 0,
        "firing": {"law": "constant", "probability": 0.3},
        "magnitude": {"law": "constant", "mean": 1.0, "std": 0.1},
        "correlation": {"law": "none"},
    }
    return build_toy(ToyParams.model_validate(document | laws), "toys.tried")


def assert_rates(fired: Tensor, expected: Tensor) -> None:
    """Each within five standard errors of what it should be."""
    error = (expected * (1 - expected) / len(fired)).sqrt()
    assert ((fired.double().mean(0) - expected).abs() <= FIVE_SIGMA * error).all()


@pytest.fixture(scope="module")
def toy() -> Toy:
    return build_toy(load_params(ROOT).toys["main"])


@pytest.fixture(scope="module")
def correlation() -> RandomCorrelation:
    law = load_params(ROOT).toys["main"].correlation
    assert isinstance(law, RandomCorrelation)
    return law


@pytest.mark.parametrize("correlation", CORRELATIONS)
@pytest.mark.parametrize("law", RATES)
def test_features_fire_by_their_law_however_correlated(law: str, correlation: str) -> None:
    settings, formula = RATES[law]
    tried = toy_of(firing={"law": law, **settings}, correlation={"law": correlation, **CORRELATIONS[correlation]})
    expected = formula(torch.arange(24, dtype=torch.double), 24)
    torch.testing.assert_close(tried.activations.firing_probabilities.double(), expected, atol=1e-6, rtol=0)
    assert_rates(tried.sample(ROWS, seeded(0)) > 0, expected)


def test_random_rates_lie_evenly_between_the_two_and_are_the_seeds() -> None:
    law = {"law": "random", "max": 0.4, "min": 0.1}
    rates = toy_of(num_features=2000, firing=law).activations.firing_probabilities
    assert rates.min() >= 0.1
    assert rates.max() <= 0.4
    assert rates.quantile(torch.tensor([0.25, 0.5, 0.75])).tolist() == pytest.approx([0.175, 0.25, 0.325], abs=0.02)
    assert torch.equal(rates, toy_of(num_features=2000, firing=law).activations.firing_probabilities)
    assert not torch.equal(rates, toy_of(num_features=2000, firing=law, seed=6).activations.firing_probabilities)


@pytest.mark.parametrize("law", MEANS)
def test_features_are_as_strong_as_their_law_says(law: str) -> None:
    settings, formula = MEANS[law]
    acts = toy_of(magnitude={"law": law, "std": 0.2, **settings}).sample(ROWS, seeded(0))
    expected = formula(torch.arange(24, dtype=torch.double), 24)
    times = (acts > 0).sum(0)
    means, spreads = acts.double().sum(0) / times, (acts.double().square().sum(0) / times)
    assert ((means - expected).abs() < FIVE_SIGMA * 0.2 / times.sqrt()).all()
    assert ((spreads - means.square()).sqrt() - 0.2).abs().max() < 0.01


def test_folded_normal_magnitudes_are_absolute_values_of_normals() -> None:
    law = {"law": "folded_normal", "mean": 0.0, "spread": 1.5, "std": 0.0}
    means = toy_of(num_features=4000, magnitude=law).activations.mean_firing_magnitudes.double()
    assert means.min() >= 0
    assert means.mean().item() == pytest.approx(1.5 * (2 / torch.pi) ** 0.5, rel=0.05)
    assert means.square().mean().item() == pytest.approx(1.5**2, rel=0.1)


@pytest.mark.parametrize("law", CORRELATIONS)
def test_pairs_fire_together_as_often_as_their_correlation_says(law: str) -> None:
    tried = toy_of(correlation={"law": law, **CORRELATIONS[law]})
    fired = (tried.sample(ROWS, seeded(3)) > 0).double()
    threshold = torch.special.ndtri(torch.tensor(0.7)).item()
    matrix = copula(tried)
    for i, j in torch.triu_indices(24, 24, offset=1).T.tolist():
        rho = matrix[i, j].item()
        expected = multivariate_normal.cdf([-threshold, -threshold], cov=[[1, rho], [rho, 1]])
        error = (expected * (1 - expected) / ROWS) ** 0.5
        assert abs((fired[:, i] * fired[:, j]).mean().item() - expected) < FIVE_SIGMA * error, (i, j, rho)


def copula(tried: Toy) -> Tensor:
    """The correlation matrix, from the generator itself."""
    acts = tried.activations
    if acts.low_rank_correlation is not None:
        factor, root = acts.low_rank_correlation
        return factor @ factor.T + root.square().diag()
    return torch.eye(24) if acts.correlation_matrix is None else acts.correlation_matrix


def test_only_the_named_pairs_are_correlated() -> None:
    matrix = copula(toy_of(correlation={"law": "pairs", **CORRELATIONS["pairs"]}))
    expected = torch.eye(24)
    expected[0, 1] = expected[1, 0] = 0.8
    expected[2, 7] = expected[7, 2] = -0.6
    torch.testing.assert_close(matrix, expected)


def test_low_rank_correlations_are_as_strong_as_scale_and_rank_say_and_their_own_seeds() -> None:
    def tried(**law: Any) -> Tensor:
        full = {"law": "low_rank", "rank": 16, "scale": 0.1, "seed": 1, **law}
        factor = toy_of(num_features=1000, correlation=full).activations.low_rank_correlation
        assert factor is not None
        return factor[0]

    factor = tried()
    assert factor.shape == (1000, 16)
    matrix = factor @ factor.T
    assert matrix.fill_diagonal_(0).square().mean().sqrt().item() == pytest.approx(0.1**2 * 16**0.5, rel=0.05)
    assert torch.equal(factor, tried())
    assert not torch.equal(factor, tried(seed=2))


def test_more_features_than_dimensions_overlap_less_where_made_orthogonal() -> None:
    def overlap(steps: int) -> float:
        vectors = toy_of(d_in=12, orthogonalization_steps=steps).features.feature_vectors.detach()
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(24))
        return (vectors @ vectors.T).fill_diagonal_(0).square().sum().item()

    least = 24 * (24 - 12) / 12  # no 24 unit vectors in 12 dimensions overlap less (Welch 1974)
    assert overlap(0) > 1.5 * least
    assert overlap(200) == pytest.approx(least, rel=0.02)


@pytest.mark.parametrize(
    ("laws", "message"),
    [
        (
            {"firing": {"law": "linear", "max": 0.4, "min": 0.0}},
            "`toys.tried.firing` was refused: Must have 0 < min_prob <= max_prob <= 1",
        ),
        (
            {"hierarchy": TREES | {"mutually_exclusive_min_depth": 2, "mutually_exclusive_max_depth": 1}},
            "`toys.tried.hierarchy` was refused: mutually_exclusive_max_depth must be >= ",
        ),
        (
            {"firing": {"law": "zipf", "max": 0.5, "min": 0.1, "exponent": 1e-9}},
            "`toys.tried.firing` was refused: its probabilities must lie above 0 and not above 1, got nan to nan",
        ),
        (
            {"magnitude": {"law": "constant", "mean": 1e39, "std": 0.1}},
            "`toys.tried` was refused: ",
        ),
        (
            {"hierarchy": {"total_root_nodes": 3, "branching_factor": [6, 2], "max_depth": 1}},
            "`toys.tried.hierarchy` was refused: branching_factor[0] must be <= branching_factor[1]",
        ),
        (
            {"correlation": {"law": "low_rank", "rank": 25, "scale": 0.1, "seed": 0}},
            "`correlation.rank` must be at most `num_features` (24), got 25",
        ),
        (
            {"correlation": {"law": "pairs", "pairs": [(0, 1, 0.9), (1, 2, 0.9), (0, 2, -0.9)]}},
            "`toys.tried.correlation` was refused: no features have all of these correlations; of 0 and 1 it makes 0.5",
        ),
        (
            {"correlation": {"law": "pairs", "pairs": [(0, 1, 0.5), (0, 1, 0.2)]}},
            "`correlation.pairs[1]` names 0 and 1 again",
        ),
        (
            {"correlation": {"law": "pairs", "pairs": [(0, 24, 0.5)]}},
            "`correlation.pairs[0]` must name two features of 0 to 23, the lower one first, got 0 and 24",
        ),
        (
            {"correlation": {"law": "pairs", "pairs": [(1, 0, 0.5)]}},
            "`correlation.pairs[0]` must name two features of 0 to 23, the lower one first, got 1 and 0",
        ),
        (
            {"correlation": {"law": "random", **CORRELATIONS["random"]}, "hierarchy": TREES},
            "`correlation.law` must be 'none' or 'low_rank' where there is a `hierarchy`, got 'random'",
        ),
    ],
)
def test_refusals_name_the_key(laws: dict[str, Any], message: str) -> None:
    with pytest.raises((UserError, ValidationError), match=re.escape(message)):  # of a law, of the params
        toy_of(**laws)


def test_firing_probabilities_follow_the_papers_formula(toy: Toy) -> None:
    expected = 0.345 * (49 - torch.arange(50)) / 50 + 0.05
    torch.testing.assert_close(toy.activations.firing_probabilities, expected)


def test_features_are_orthonormal(toy: Toy) -> None:
    vectors = toy.features.feature_vectors.detach()
    torch.testing.assert_close(vectors @ vectors.T, torch.eye(50), atol=1e-4, rtol=0)


def test_correlations_before_the_clipping_are_the_papers(correlation: RandomCorrelation) -> None:
    # Weak correlations need no clipping, so that every pair keeps the value that was drawn for it.
    weak = correlation.model_copy(update={"min_strength": 0.003, "max_strength": 0.009})
    matrix = random_correlation_matrix(50, weak)
    pairs = matrix[*torch.triu_indices(50, 50, offset=1)]
    assert (pairs == 0).sum() == int(0.3 * 1225)
    assert (pairs > 0).sum() == (1225 - int(0.3 * 1225)) // 2
    strengths = pairs[pairs != 0].abs()
    assert strengths.min() >= 0.003
    assert strengths.max() <= 0.009


def test_correlation_matrix_is_valid_and_its_own_seeds(correlation: RandomCorrelation) -> None:
    matrix = random_correlation_matrix(50, correlation)
    assert torch.equal(matrix, random_correlation_matrix(50, correlation))
    assert not torch.equal(matrix, random_correlation_matrix(50, correlation.model_copy(update={"seed": 43})))
    torch.testing.assert_close(matrix, matrix.T, atol=1e-6, rtol=0)
    assert torch.equal(matrix.diagonal(), torch.ones(50))
    assert torch.linalg.eigvalsh(matrix.double()).min() > 0


def test_seed_42_names_the_matrix_of_the_papers_public_code(correlation: RandomCorrelation) -> None:
    # Entries of what the public code's generate_random_correlation_matrix gives for these settings.
    matrix = random_correlation_matrix(50, correlation)
    expected = {(0, 1): -0.196769, (3, 7): -0.088962, (12, 40): 0.229043, (20, 21): -0.172365, (48, 49): 0.117246}
    for (i, j), value in expected.items():
        assert matrix[i, j].item() == pytest.approx(value, abs=1e-4)


def test_few_orthogonalisation_steps_leave_superposition() -> None:
    cosines = [
        torch.triu(vectors @ vectors.T, 1).abs().max().item()
        for name in ("five", "five_superposed")
        for vectors in [build_toy(load_params(ROOT).toys[name]).features.feature_vectors.detach()]
    ]
    assert cosines[0] < 1e-3
    assert cosines[1] > 0.1


def test_zipf_rates_fall_as_the_inverse_rank_and_sum_to_two() -> None:
    rates = build_toy(load_params(ROOT).toys["five_zipf"]).activations.firing_probabilities
    steps = rates - rates[-1]
    torch.testing.assert_close(steps / steps[0], (1 / torch.arange(1, 6) - 0.2) / 0.8)
    assert rates.sum().item() == pytest.approx(2, abs=1e-3)
