"""The evidence is the sweep's metrics in their units, lower is better, with the spread of the seeds."""

import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from sbw.verdict.evidence import best_n, c_dec_rows, s_n_rows, sensitivity, sigma_of, stability_rows, width_rows
from sbw.verdict.rule import curve_of, drawn_means
from tests.sbw.verdict.sweeps import KS, H, mixed, pairs, projections, saes


def test_c_dec_is_in_units_of_random_directions() -> None:
    rows = c_dec_rows(saes())
    assert rows["value"].tolist() == pytest.approx([mixed(k) for k in KS for _ in (0, 1)])
    assert (rows["error"] == 0).all()


def test_sigma_is_the_root_mean_square_projection_on_a_random_direction() -> None:
    assert sigma_of(saes()) == pytest.approx(math.sqrt(16 / 0.16 / 100))


@pytest.mark.parametrize(
    ("rows_of", "value", "error"),
    [(s_n_rows, (0.3 + mixed(4)) / 2, 0.005), (width_rows, mixed(4), 0.01 * math.sqrt(2) / 2)],
)
def test_s_n_and_width_are_in_units_of_sigma_up_to_half_the_latents(
    rows_of: Callable[..., pd.DataFrame], value: float, error: float
) -> None:
    rows = rows_of(projections(), saes(mse=64.0))
    assert sorted(rows["n"].unique()) == list(range(1, 6))
    at_4 = rows[rows["setting"] == 4]
    assert at_4["value"].tolist() == pytest.approx([value] * 10)
    assert at_4["error"].tolist() == pytest.approx([error] * 10)


def test_stability_is_one_less_the_agreement_with_one_row_per_seed() -> None:
    rows = stability_rows(pairs(), saes())
    assert rows["value"].tolist() == pytest.approx([mixed(k) / 2 for k in KS for _ in (0, 1)])
    assert rows["l0"].tolist() == pytest.approx([0.99 * k for k in KS for _ in (0, 1)])


def additive(seeds: int, spread: float, settings: int = 400) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pairs of seeds and their SAEs: each seed agrees more or less with all others, a with b by 0.8 + e_a + e_b."""
    effects = spread * np.random.default_rng(5).standard_normal((settings, seeds))
    agreements = [(k, a, b, 0.8 + e[a] + e[b]) for k, e in enumerate(effects) for a, b in combinations(range(seeds), 2)]
    keys = [(k, seed, k + 1.0) for k in range(settings) for seed in range(seeds)]
    columns = ["k", "seed_a", "seed_b", "agreement"]
    return pd.DataFrame(agreements, columns=columns), pd.DataFrame(keys, columns=["k", "seed", "l0"])


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_the_deviation_of_the_agreement_over_draws_is_that_of_seeds_with_additive_effects(seeds: int) -> None:
    table, keys = additive(seeds, spread=0.01)
    curve = curve_of(stability_rows(table, keys))
    assert curve.y == pytest.approx(1 - table.groupby("k")["agreement"].mean().to_numpy())
    deviation = math.sqrt((drawn_means(curve, seed=0).std(axis=0) ** 2).mean())
    true = 2 * 0.01 / math.sqrt(seeds)  # the mean over pairs is 0.8 + 2 mean(e)
    assert deviation == pytest.approx(true, rel=0.1)


def test_two_seeds_have_one_pair_and_no_spread() -> None:
    curve = curve_of(stability_rows(*additive(2, spread=0.01, settings=5)))
    assert drawn_means(curve, seed=0).std(axis=0) == pytest.approx(0)


def test_the_best_n_agrees_with_most_others() -> None:
    table = projections()
    odd = table["n"].isin([2, H - 2])  # for n = 2, k = 4 is right
    signs = table.loc[odd, "n"].map({2: 1, H - 2: -1})
    table.loc[odd, "s_n"] = signs * (table.loc[odd, "k"] / 4).map(math.log).abs()
    curve = sensitivity(width_rows(table, saes()))
    assert curve["n"].tolist() == [1, 2, 3, 4, 5]
    assert curve["agreeing"].tolist() == [4, 1, 4, 4, 4]
    assert best_n(curve) == 4


def test_an_n_that_one_setting_alone_has_is_left_out() -> None:
    table = projections()
    whole = sensitivity(width_rows(table, saes()))
    alone = (table["n"].isin([3, H - 3])) & (table["k"] != table["k"].min())
    assert sensitivity(width_rows(table[~alone], saes()))["n"].tolist() == [n for n in whole["n"] if n != 3]


def test_an_n_that_is_inconclusive_agrees_with_none() -> None:
    curve = sensitivity(width_rows(projections().assign(s_n=0.0), saes()))
    assert curve["agreeing"].tolist() == [0] * 5
    assert curve["l0"].isna().all()
