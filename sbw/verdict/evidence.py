"""A sweep's metrics, in the units and the form that verdicts are made from.

In every metric lower is better, and its unit is its value for random directions, so that one tolerance serves them all:

    c_dec / c_null           c_null = √(2 / (π d_in)), the mean |cosine| of two random directions
    (s_n − s_{h−n}) / σ      σ = √(E‖x‖² / d_in), the root mean square projection of activations on a random direction
    1 − agreement            of the decoders of two seeds, which is 1 for equal ones

The width s_n − s_{h−n} replaces s_n^dec: an SAE that mixes features spreads its decoder projections to both sides. In
superposition s_n alone has its minimum far above the right L0, the width does not (docs/log.md).
"""

import math
from typing import Any

import numpy as np
import pandas as pd

from sbw.metrics.geometry import null_pairwise_cosine
from sbw.verdict.rule import Rows, curve_of, right_l0


def c_dec_rows(saes: pd.DataFrame) -> Rows:
    """The rows of c_dec from a table with `k`, `seed`, `l0`, `c_dec` and `d_in`."""
    return rows_of(saes, saes["c_dec"] / saes["d_in"].map(null_pairwise_cosine))


def s_n_rows(projections: pd.DataFrame, saes: pd.DataFrame) -> Rows:
    """The rows of s_n / σ for every n < h / 2, with a column `n`.

    Args:
        projections: columns `k`, `seed`, `n`, `s_n` and `s_n_error`, for n = 1 … h − 1.
        saes: columns `k`, `seed`, `l0` and those of `sigma_of`, of the same SAEs.
    """
    upper, sigma = _upper(projections, saes), sigma_of(saes)
    return rows_of(upper, upper["s_n"] / sigma, upper["s_n_error"] / sigma)


def width_rows(projections: pd.DataFrame, saes: pd.DataFrame) -> Rows:
    """The rows of (s_n − s_{h−n}) / σ for every n < h / 2, from and with the columns of `s_n_rows`."""
    h, keys, sigma = projections["n"].max() + 1, ["k", "seed", "n"], sigma_of(saes)
    lower = projections.assign(n=h - projections["n"])[[*keys, "s_n", "s_n_error"]]
    both = _upper(projections, saes).merge(lower, on=keys, suffixes=("", "_lower"))
    error = np.hypot(both["s_n_error"], both["s_n_error_lower"]) / sigma
    return rows_of(both, (both["s_n"] - both["s_n_lower"]) / sigma, error)


def stability_rows(pairs: pd.DataFrame, saes: pd.DataFrame) -> Rows:
    """The rows of 1 − agreement: per seed, the mean over its pairs.

    The mean over pairs is a U-statistic. If one of n seeds agrees less by 1 with all others, that mean moves by 2 / n,
    and the seed's own mean moves away from it by (n − 2) / (n − 1). So the leverage is 2 (n − 1) / (n − 2), as in the
    jackknife of Arvesen (1969). Two seeds have one pair, and no spread.

    Args:
        pairs: columns `k`, `seed_a`, `seed_b` and `agreement`, one row per pair of seeds.
        saes: columns `k`, `seed` and `l0`, of the same SAEs.
    """
    either = pairs.melt(["k", "agreement"], ["seed_a", "seed_b"], value_name="seed")
    of_seeds = either.groupby(["k", "seed"], as_index=False)["agreement"].mean().merge(saes[["k", "seed", "l0"]])
    n = of_seeds.groupby("k")["seed"].transform("size")
    leverage = (2 * (n - 1) / (n - 2).clip(lower=1)).where(n > 2, 0.0)
    return rows_of(of_seeds, 1 - of_seeds["agreement"], leverage=leverage)


def rows_of(table: pd.DataFrame, value: pd.Series, error: Any = 0.0, leverage: Any = 1.0) -> Rows:
    """The rows of a metric from a table with `k`, `seed`, `l0` and perhaps `n`."""
    kept = [name for name in ("k", "seed", "l0", "n") if name in table.columns]
    return table[kept].rename(columns={"k": "setting"}).assign(value=value, error=error, leverage=leverage)


def sigma_of(saes: pd.DataFrame) -> float:
    """σ = √(E‖x‖² / d_in) of the activations, from the errors of SAEs on them.

    It is about zero, not about the mean: in a language model it is 1.4 times the spread about the mean.
    """
    worst = saes.loc[saes["mse"].idxmax()]
    return math.sqrt(worst["mse"] / (1 - worst["variance_explained_about_zero"]) / worst["d_in"])


def sensitivity(rows: Rows) -> pd.DataFrame:
    """Where each n puts the right L0, from the rows of `width_rows` or `s_n_rows`.

    One row per n that all settings have: `n`, `l0` (NaN where it names none), and `agreeing`, the number of n whose
    right L0 lies between the same two settings.
    """
    settings = rows.groupby("n")["setting"].transform("nunique")
    rows = rows[settings == settings.max()]
    found = [(n, *right_l0(curve_of(of_n))) for n, of_n in rows.groupby("n")]
    table = pd.DataFrame(found, columns=["n", "l0", "setting"])
    agreeing = table.groupby("setting")["setting"].transform("size")
    return table.assign(agreeing=agreeing.fillna(0).astype(int)).drop(columns="setting")


def best_n(curve: pd.DataFrame) -> int:
    """The n of a `sensitivity` table that agrees with most others; the middle one of several."""
    most = curve.loc[curve["agreeing"] == curve["agreeing"].max(), "n"]
    return int(most.iloc[len(most) // 2])


def _upper(projections: pd.DataFrame, saes: pd.DataFrame) -> pd.DataFrame:
    upper = projections[projections["n"] < (projections["n"].max() + 1) / 2]
    return upper.merge(saes[["k", "seed", "l0"]], on=["k", "seed"], validate="many_to_one")
