"""What probes say of a sweep: means over datasets with intervals, and which L0s can be told from the best."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from sbw.l0 import DRAWS, INTERVAL
from sbw.tables import column

SCORES = pa.schema(
    [
        column("k", pa.float64(), "active latents a token that the SAEs were trained for; null: the baseline"),
        column("l0", pa.float64(), "that they have, mean over seeds; null: the baseline"),
        column("latents", pa.int64(), "latents that a probe takes; null: the baseline, which takes the activations"),
        column("measure", pa.string(), "f1 or auc"),
        column("mean", pa.float64(), "over datasets, of the mean over seeds"),
        column("low", pa.float64(), f"lower end of the interval that holds {INTERVAL:.0%} of draws of the datasets"),
        column("high", pa.float64(), "upper end of it"),
        column(
            "behind",
            pa.float64(),
            "mean minus that of the best k, over the same datasets; null: the baseline",
        ),
        column("behind_low", pa.float64(), "lower end of its interval"),
        column("behind_high", pa.float64(), "upper end of it; below 0 where the k can be told from the best"),
        column("datasets", pa.int64(), "how many datasets there are"),
    ]
)


def scores(probes: pd.DataFrame, baseline: pd.DataFrame, saes: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The rows of `SCORES`: means over datasets, with intervals from drawing the datasets anew.

    Datasets differ more than SAEs do, so that a k is compared with the best one dataset by dataset.

    Args:
        probes: rows of `sbw.llm.probing.PROBES`.
        baseline: rows of `sbw.llm.probing.BASELINE`, of the same datasets.
        saes: columns `k` and `l0`, a row an SAE.
        seed: of the draws, which are the same for all.
    """
    l0, count = saes.groupby("k")["l0"].mean().to_dict(), baseline["dataset"].nunique()
    drawn = np.random.default_rng(seed).integers(count, size=(DRAWS, count))
    rows: list[tuple[Any, ...]] = []
    for measure in ("f1", "auc"):
        for latents, of_latents in probes.groupby("latents"):
            by_k = of_latents.groupby(["dataset", "k"])[measure].mean().unstack()
            behind = by_k.sub(by_k[by_k.mean().idxmax()], axis="index")
            rows += [
                (k, l0[k], latents, measure, *_interval(by_k[k], drawn), *_interval(behind[k], drawn), count)
                for k in by_k.columns
            ]
        of_baseline = baseline.groupby("dataset")[measure].mean()
        rows.append((math.nan, math.nan, None, measure, *_interval(of_baseline, drawn), *[math.nan] * 3, count))
    return pd.DataFrame(rows, columns=SCORES.names).astype({"latents": "Int64"})


def headline(scores: pd.DataFrame) -> dict[str, Any]:
    """Means and intervals as a document: of the baseline, and of each k, with how far it is behind the best."""

    def told(rows: pd.DataFrame, suffix: str, *names: str) -> dict[str, list[float]]:
        return {row["measure"] + suffix: [round(row[name], 4) for name in names] for _, row in rows.iterrows()}

    def means(rows: pd.DataFrame) -> dict[str, list[float]]:
        return told(rows, "", "mean", "low", "high")

    def of_saes(rows: pd.DataFrame) -> dict[str, list[float]]:
        return means(rows) | told(rows, "_behind", "behind", "behind_low", "behind_high")

    return {
        "datasets": int(scores["datasets"].iloc[0]),
        "baseline": means(scores[scores["k"].isna()]),
        "saes": [
            {"k": k, "l0": round(of_k["l0"].iloc[0], 2)}
            | {f"latents_{latents}": of_saes(rows) for latents, rows in of_k.groupby("latents")}
            for k, of_k in scores[scores["k"].notna()].groupby("k")
        ],
    }


def _interval(of_datasets: "pd.Series[float]", drawn: NDArray[np.integer[Any]]) -> tuple[float, float, float]:
    values = of_datasets.to_numpy()
    low, high = np.quantile(values[drawn].mean(axis=1), [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
    return float(values.mean()), float(low), float(high)
