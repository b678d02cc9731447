"""Scores of a sweep's probes: means over datasets with intervals, and which L0s are worse than the best.

Shapes: m values of k, s seeds, t datasets, b draws.
"""

import math
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from sbw.files import column
from sbw.verdict.rule import DRAWS, INTERVAL, Floats

_WORSE = f"in {50 + 50 * INTERVAL:.0f} % of draws"
SCORES = pa.schema(
    [
        column("k", pa.float64(), "active latents per token that the SAEs were trained for; null: the baseline"),
        column("l0", pa.float64(), "measured active latents per token, mean over seeds; null: the baseline"),
        column("latents", pa.int64(), "latents that a probe uses; null: the baseline, which uses the activations"),
        column("measure", pa.string(), "f1 or auc"),
        column("mean", pa.float64(), "over datasets and seeds"),
        column("low", pa.float64(), f"lower end of its {100 * INTERVAL:.0f} % interval, over draws of both"),
        column("high", pa.float64(), "upper end of it"),
        column("behind", pa.float64(), "mean of the best k less this one; null: the baseline"),
        column("margin", pa.float64(), f"a k behind by more is worse than the best ({_WORSE}); null: the baseline"),
        column("datasets", pa.int64(), "number of datasets"),
    ]
)


def probe_scores(probes: pd.DataFrame, baseline: pd.DataFrame, saes: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The rows of `SCORES`: means over datasets, with intervals from redrawing the datasets and each k's seeds.

    Datasets differ more than SAEs do, so that all k are compared over the same draws of them. Which k is the best is
    not known: the margin of a k is by how much more than it is, at most, a draw puts it behind any other one, in
    (1 + INTERVAL) / 2 of the draws.

    Args:
        probes: rows of `sbw.llm.probing.PROBES`; every k has the same seeds and datasets.
        baseline: rows of `sbw.llm.probing.BASELINE`, of the same datasets.
        saes: columns `k` and `l0`, one row per SAE.
        seed: of the draws, which are the same for all.
    """
    l0, count, of_k = saes.groupby("k")["l0"].mean(), baseline["dataset"].nunique(), probes["seed"].nunique()
    generator = np.random.default_rng(seed)
    datasets = generator.integers(count, size=(DRAWS, count))
    seeds = generator.integers(of_k, size=(len(l0), DRAWS, of_k))
    rows: list[tuple[Any, ...]] = []
    for measure in ("f1", "auc"):
        for latents, of_latents in probes.groupby("latents"):
            table = of_latents.pivot(index=["k", "seed"], columns="dataset", values=measure)
            values = table.to_numpy().reshape(-1, of_k, count)
            means, drawn = values.mean(axis=(1, 2)), _means_of_draws(values, datasets, seeds)
            compared = zip(table.index.unique("k"), means, drawn, _margins(means, drawn), strict=True)
            rows += [
                (k, l0[k], latents, measure, mean, *_interval(of_draws), means.max() - mean, margin, count)
                for k, mean, of_draws, margin in compared
            ]
        of_all = baseline[measure].to_numpy()
        interval = _interval(of_all[datasets].mean(axis=1))
        rows.append((math.nan, math.nan, None, measure, of_all.mean(), *interval, math.nan, math.nan, count))
    return pd.DataFrame(rows, columns=SCORES.names).astype({"latents": "Int64"})


def scores_summary(scores: pd.DataFrame) -> dict[str, Any]:
    """As a document: of the baseline and of each k the mean and its interval; of each k what it is behind the best, and
    its margin; and the intervals' level."""

    def rounded(rows: pd.DataFrame, suffix: str, *names: str) -> dict[str, list[float]]:
        return {row["measure"] + suffix: [round(row[name], 4) for name in names] for _, row in rows.iterrows()}

    def means(rows: pd.DataFrame) -> dict[str, list[float]]:
        return rounded(rows, "", "mean", "low", "high")

    return {
        "datasets": int(scores["datasets"].iloc[0]),
        "level": INTERVAL,
        "baseline": means(scores[scores["k"].isna()]),
        "saes": [
            {"k": k, "l0": round(of_k["l0"].iloc[0], 2)}
            | {
                f"latents_{latents}": means(rows) | rounded(rows, "_behind_and_margin", "behind", "margin")
                for latents, rows in of_k.groupby("latents")
            }
            for k, of_k in scores[scores["k"].notna()].groupby("k")
        ],
    }


def _means_of_draws(values: Floats, datasets: Any, seeds: Any) -> Floats:
    """[m, b] from values [m, s, t], datasets [b, t] and, for each k its own, seeds [m, b, s]."""
    over_datasets = np.stack([values[:, :, drawn].mean(axis=2) for drawn in datasets], axis=1)
    return np.take_along_axis(over_datasets, seeds, axis=2).mean(axis=2)


def _margins(means: Floats, drawn: Floats) -> Floats:
    """[m] from means [m] and those of draws [m, b]."""
    moved = drawn - means[:, None]
    return np.quantile((moved[None] - moved[:, None]).max(axis=1), (1 + INTERVAL) / 2, axis=1)


def _interval(drawn: Floats) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
    return float(low), float(high)
