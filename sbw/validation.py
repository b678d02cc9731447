"""How well the recommendation finds the L0 of toys where it is known, beside the common practice."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from sbw.evidence import best_n, evidence, s_n_of_sweep, sensitivity
from sbw.l0 import Verdict, combine, judge, knee
from sbw.tables import column

RECOMMENDED = pa.schema(
    [
        column("toy", pa.string(), "toy that was swept"),
        column("set", pa.string(), "development: the rule was made on it; held_out: it was only tried on it"),
        column("true_l0", pa.float64(), "active features a sample, on average"),
        column("method", pa.string(), "metric, combined: their median, or knee: of the variance explained"),
        column("verdict", pa.string(), "minimum, elbow, flat or edge; null for the knee"),
        column("l0", pa.float64(), "recommended L0; null where none is named"),
        column("low", pa.float64(), "lower end of its interval; null for the knee"),
        column("high", pa.float64(), "upper end of it"),
    ]
)
METHODS = {
    "c_dec": "pairwise cosine of the decoder",
    "width": "width of the decoder projections",
    "stability": "agreement of the seeds",
    "combined": "the recommendation",
    "s_n": "decoder projection, as in the paper",
    "knee": "knee of the variance explained",
}
"""What each method is; the recommendation is the median of those before it."""


def recommended(saes: pd.DataFrame, projections: pd.DataFrame, stability: pd.DataFrame, seed: int) -> pd.DataFrame:
    """What every method recommends on a sweep of one toy: `RECOMMENDED` but for `toy` and `set`.

    Args:
        saes, projections, stability: of trained SAEs alone, with the schemas of evaluation.py.
        seed: of the bootstrap draws.
    """
    generator = np.random.default_rng(seed)
    found = evidence(saes, projections, stability)
    said = [judge(metric, rows, generator) for metric, rows in found.metrics.items()]
    s_n = s_n_of_sweep(saes, projections)
    n = best_n(sensitivity(s_n))
    all_of_them = [*said, combine(said), judge("s_n", s_n[s_n["n"] == n], generator)]
    rows = [_row(verdict) for verdict in all_of_them]
    curve = saes.groupby("k")[["l0", "variance_explained_about_zero"]].mean()
    rows.append({"method": "knee", "l0": knee(*(curve[name].to_numpy() for name in curve.columns))})
    return pd.DataFrame(rows).assign(true_l0=saes["true_l0"].iloc[0])


def scores(table: pd.DataFrame) -> dict[str, dict[str, dict[str, Any]]]:
    """How good each method is, from the rows of `RECOMMENDED`: by set and method,

    `toys`: how many; `named`: on how many it names an L0; `covered`: share of those whose interval holds the true L0;
    `median_error` and `worst_error`: of |L0 − true| / true.
    """
    error = (table["l0"] - table["true_l0"]).abs() / table["true_l0"]
    inside = (table["low"] <= table["true_l0"]) & (table["true_l0"] <= table["high"])
    table = table.assign(error=error, inside=inside)
    return {
        str(name): {method: _score(of_set[of_set["method"] == method]) for method in METHODS}
        for name, of_set in table.groupby("set")
    }


def _row(verdict: Verdict) -> dict[str, Any]:
    method = "width" if verdict.metric.startswith("w_") else verdict.metric
    return {"method": method, "verdict": verdict.kind, "l0": verdict.l0, "low": verdict.low, "high": verdict.high}


def _score(rows: pd.DataFrame) -> dict[str, Any]:
    named = rows[rows["l0"].notna()]
    has_interval = named["low"].notna().any()
    return {
        "toys": len(rows),
        "named": len(named),
        "covered": round(float(named["inside"].mean()), 4) if has_interval else None,
        "median_error": round(float(named["error"].median()), 4) if len(named) else None,
        "worst_error": round(float(named["error"].max()), 4) if len(named) else None,
    }
