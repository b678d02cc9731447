"""What a sweep says of the right L0: its metrics, in the units and the form that verdicts are made from.

Every metric is turned so that lower is better, and given in units of what random directions have, so that one constant
serves them all:

    c_dec / c_null           c_null = √(2 / (π d_in)), the mean |cosine| of two random directions
    (s_n − s_{h−n}) / σ      σ = √(E‖x‖² / d_in), the root mean square projection of activations on a random direction
    1 − agreement            of the decoders of two seeds, which is 1 for equal ones

The width s_n − s_{h−n} stands for s_n^dec: an SAE that mixes features spreads its decoder projections to both sides. In
superposition s_n alone is least at a far too high L0, the width is not (docs/log.md).
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from sbw.files import column
from sbw.metrics.geometry import null_pairwise_cosine
from sbw.verdict.rule import LEAST_L0S, Rows, Verdict, combine, curve_of, judge, right_l0

CURVES = pa.schema(
    [
        column("metric", pa.string(), "c_dec, w_n (the width s_n - s_(h-n)), or stability (1 - agreement)"),
        column("setting", pa.float64(), "what SAEs trained alike but for their seed have in common: k"),
        column("l0", pa.float64(), "active latents a sample of the SAE, or of the pair of them"),
        column("value", pa.float64(), "the metric, in units of what random directions have; lower is better"),
        column("verdict", pa.string(), "what the metric says: minimum, elbow, flat or edge"),
        column("recommended", pa.float64(), "the L0 that it recommends; null where it names none"),
        column("low", pa.float64(), "lower end of the interval of that"),
        column("high", pa.float64(), "upper end of it"),
        column("true_l0", pa.float64(), "active features a sample, on average"),
    ]
)
SENSITIVITY = pa.schema(
    [
        column("n", pa.int64(), "latents a sample, for the width s_n - s_(h-n)"),
        column("l0", pa.float64(), "the L0 that it recommends; null where it names none"),
        column("agreeing", pa.int64(), "how many n recommend an L0 between the same two of the sweep"),
    ]
)


class Evidence(NamedTuple):
    """What a sweep says."""

    metrics: dict[str, Rows]
    """The rows of each metric, by its name."""
    n: int
    """The n of the width."""
    sensitivity: pd.DataFrame
    """Why this n: `sensitivity` of every n."""


def evidence(saes: pd.DataFrame, projections: pd.DataFrame, stability: pd.DataFrame) -> Evidence:
    """The evidence of a sweep from its tables, of trained SAEs alone (schemas in evaluation.py).

    The stability is left out where no two SAEs differ by their seed alone.
    """
    widths = width_rows(_with_l0(projections, saes, ["k", "seed"]), sigma_of(saes))
    curve = sensitivity(widths)
    n = best_n(curve)
    metrics = {"c_dec": c_dec_rows(saes.assign(setting=saes["k"])), f"w_{n}": widths[widths["n"] == n]}
    if len(stability):
        metrics["stability"] = stability_rows(_with_l0(stability, saes, ["k"]))
    return Evidence(metrics, n, curve)


def s_n_of_sweep(saes: pd.DataFrame, projections: pd.DataFrame) -> Rows:
    """The `s_n_rows` of a sweep from its tables, of trained SAEs alone."""
    return s_n_rows(_with_l0(projections, saes, ["k", "seed"]), sigma_of(saes))


def verdicts(metrics: dict[str, Rows], seed: int) -> list[Verdict]:
    """What each metric says of the right L0, and, last, all together; draws are from `seed`."""
    generator = np.random.default_rng(seed)
    each = [judge(name, rows, generator) for name, rows in metrics.items()]
    return [*each, combine(each)]


def summary(said: Sequence[Verdict]) -> dict[str, Any]:
    """Verdicts as a document: that of all together, and under `metrics` each one's."""
    *each, combined = (
        {"verdict": verdict.kind, "l0": verdict.l0, "low": verdict.low, "high": verdict.high, "said": verdict.sentence}
        for verdict in said
    )
    return combined | {"metrics": dict(zip((verdict.metric for verdict in said), each, strict=False))}


def audit_verdicts(saes: pd.DataFrame, agreements: pd.DataFrame, seed: int) -> dict[str, dict[str, Any]]:
    """A `summary` for each family of SAEs, by their decoders alone.

    Args:
        saes: columns `family`, `setting`, `l0`, `c_dec` and `d_in`, a row an SAE.
        agreements: columns `family`, `setting`, `l0` and `agreement`, a row a pair of SAEs of one setting.
        seed: of the draws.
    """
    return {
        str(family): _audited(of_family, agreements[agreements["family"] == family], seed)
        for family, of_family in saes.groupby("family")
    }


def _audited(saes: pd.DataFrame, agreements: pd.DataFrame, seed: int) -> dict[str, Any]:
    metrics = {"c_dec": c_dec_rows(saes)}
    if agreements["setting"].nunique() >= LEAST_L0S:
        metrics["stability"] = stability_rows(agreements)
    return summary(verdicts(metrics, seed))


def curves_table(metrics: dict[str, Rows], said: Sequence[Verdict], true_l0: float) -> pd.DataFrame:
    """The rows of `CURVES`: each metric's, with what it said."""
    by_metric = {verdict.metric: verdict for verdict in said}
    tables = [
        rows[["setting", "l0", "value"]].assign(
            metric=metric, verdict=by_metric[metric].kind, recommended=by_metric[metric].l0, low=by_metric[metric].low,
            high=by_metric[metric].high, true_l0=true_l0,
        ).astype(dict.fromkeys(["recommended", "low", "high"], float))
        for metric, rows in metrics.items()
    ]  # fmt: skip
    return pd.concat(tables)[CURVES.names]


def c_dec_rows(saes: pd.DataFrame) -> Rows:
    """The rows of c_dec from a table with `setting`, `l0`, `c_dec` and `d_in`."""
    null = saes["d_in"].map(null_pairwise_cosine)
    return saes[["setting", "l0"]].assign(value=saes["c_dec"] / null, error=0.0)


def s_n_rows(projections: pd.DataFrame, sigma: float) -> Rows:
    """The rows of s_n / σ for every n < h / 2, with a column `n`.

    Args:
        projections: columns `setting`, `l0`, `seed`, `n`, `s_n` and `s_n_error`, for n = 1 … h − 1.
        sigma: σ, of the activations that were projected.
    """
    upper = projections[projections["n"] < (projections["n"].max() + 1) / 2]
    value, error = upper["s_n"] / sigma, upper["s_n_error"] / sigma
    return upper[["setting", "l0", "n"]].assign(value=value, error=error)


def width_rows(projections: pd.DataFrame, sigma: float) -> Rows:
    """The rows of (s_n − s_{h−n}) / σ for every n < h / 2, from and with the columns of `s_n_rows`."""
    h = projections["n"].max() + 1
    lower = projections.assign(n=h - projections["n"])[["setting", "seed", "n", "s_n", "s_n_error"]]
    both = projections[projections["n"] < h / 2].merge(lower, on=["setting", "seed", "n"], suffixes=("", "_lower"))
    value = (both["s_n"] - both["s_n_lower"]) / sigma
    error = np.hypot(both["s_n_error"], both["s_n_error_lower"]) / sigma
    return both[["setting", "l0", "n"]].assign(value=value, error=error)


def stability_rows(stability: pd.DataFrame) -> Rows:
    """The rows of 1 − agreement from a table with `setting`, `l0` and `agreement`, a row a pair of seeds."""
    return stability[["setting", "l0"]].assign(value=1 - stability["agreement"], error=0.0)


def sigma_of(saes: pd.DataFrame) -> float:
    """σ = √(E‖x‖² / d_in) of the activations that SAEs were measured on, from their errors.

    Their mean is part of it: σ is greater than the spread about the mean, by a factor of 1.4 in a language model.
    """
    worst = saes.loc[saes["mse"].idxmax()]
    return math.sqrt(worst["mse"] / (1 - worst["variance_explained_about_zero"]) / worst["d_in"])


def sensitivity(rows: Rows) -> pd.DataFrame:
    """Where each n puts the right L0, and with how many n it agrees.

    Args:
        rows: those of `width_rows` or `s_n_rows`.

    Returns:
        A row an n: `n`, `l0` (NaN where it tells none), and `agreeing`, the number of n whose right L0 lies between the
        same two settings.
    """
    found = [(n, *right_l0(curve_of(of_n))) for n, of_n in rows.groupby("n")]
    table = pd.DataFrame(found, columns=["n", "l0", "setting"])
    agreeing = table.groupby("setting")["setting"].transform("size")
    return table.assign(agreeing=agreeing.fillna(0).astype(int)).drop(columns="setting")


def best_n(curve: pd.DataFrame) -> int:
    """The n of a `sensitivity` table that agrees with the most others: the middle one of those."""
    most = curve.loc[curve["agreeing"] == curve["agreeing"].max(), "n"]
    return int(most.iloc[len(most) // 2])


def _with_l0(table: pd.DataFrame, saes: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    l0 = saes.groupby(keys, as_index=False)["l0"].mean()
    return table.assign(setting=table["k"]).merge(l0, on=keys, validate="many_to_one")
