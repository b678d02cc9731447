"""How well the recommendation finds the L0 of toys where it is known, beside the common practice."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from sbw.files import column
from sbw.verdict.evidence import CURVES, best_n, curves_table, evidence, s_n_of_sweep, sensitivity
from sbw.verdict.rule import Rows, Verdict, combine, judge, knee

_TOY = [
    column("toy", pa.string(), "toy that was swept"),
    column("like", pa.string(), "first toy that is the same but for the number of latents"),
    column("set", pa.string(), "development: the rule was made on it; held_out, awkward: it was only tried on it"),
    column("num_features", pa.int64(), "features of the toy"),
    column("d_sae", pa.int64(), "latents of the SAEs"),
]
RECOMMENDED = pa.schema(
    [
        *_TOY,
        column("true_l0", pa.float64(), "active features a sample, on average"),
        column("method", pa.string(), "metric, combined: their median, knee: of the variance explained, or mcc"),
        column("verdict", pa.string(), "minimum, elbow, flat or edge; null for the knee"),
        column("l0", pa.float64(), "recommended L0; null where none is named"),
        column("low", pa.float64(), "lower end of its interval; null for the knee"),
        column("high", pa.float64(), "upper end of it"),
    ]
)
TRIED = pa.schema(
    [
        *_TOY,
        column("metric", pa.string(), "c_dec, width (s_n - s_(h-n)), stability (1 - agreement), s_n or mcc (1 - MCC)"),
        *(field for field in CURVES if field.name not in ("metric", "value")),
        column("value", pa.float64(), "the metric, in the units of sbw/evidence.py; lower is better"),
    ]
)
METHODS = {
    "c_dec": "pairwise cosine of the decoder",
    "width": "width of the decoder projections",
    "stability": "agreement of the seeds",
    "combined": "the recommendation",
    "s_n": "decoder projection, as in the paper",
    "mcc": "MCC, for which the features must be known",
    "knee": "knee of the variance explained",
}
"""What each method is; the recommendation is the median of those before it."""
_WRONG = 0.25


class Tried(NamedTuple):
    """What came of a sweep of a toy; both tables lack the columns of the toy."""

    recommended: pd.DataFrame
    """The rows of `RECOMMENDED`: what every method recommends."""
    curves: pd.DataFrame
    """The rows of `TRIED`: its metrics against L0."""


def tried(saes: pd.DataFrame, projections: pd.DataFrame, stability: pd.DataFrame, seed: int) -> Tried:
    """What every method recommends on a sweep of one toy, and the curves it does so from.

    Args:
        saes, projections, stability: of trained SAEs alone, with the schemas of evaluation.py.
        seed: of the bootstrap draws.
    """
    generator = np.random.default_rng(seed)
    found = evidence(saes, projections, stability)
    said = [judge(metric, rows, generator) for metric, rows in found.metrics.items()]
    s_n = s_n_of_sweep(saes, projections)
    of_n = s_n[s_n["n"] == best_n(sensitivity(s_n))]
    others: dict[str, Rows] = {"s_n": of_n, "mcc": _mcc_rows(saes)}
    all_of_them = [*said, combine(said), *(judge(metric, rows, generator) for metric, rows in others.items())]
    rows = [_row(verdict) for verdict in all_of_them]
    curve = saes.groupby("k")[["l0", "variance_explained_about_zero"]].mean()
    rows.append({"method": "knee", "l0": knee(*(curve[name].to_numpy() for name in curve.columns))})
    true_l0 = saes["true_l0"].iloc[0]
    curves = curves_table(found.metrics | others, all_of_them, true_l0)
    return Tried(pd.DataFrame(rows).assign(true_l0=true_l0), curves.assign(metric=curves["metric"].map(_method)))


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


def told(rows: pd.DataFrame) -> dict[str, Any]:
    """What came of one toy, from its rows of `RECOMMENDED`: its numbers, those of each method, and `said`, in words."""
    first, by_method = rows.iloc[0], rows.set_index("method")
    numbers = {name: int(first[name]) for name in ("num_features", "d_sae")} | {"true_l0": round(first["true_l0"], 4)}
    methods = {
        method: {name: _rounded(by_method.loc[method, name]) for name in ("l0", "low", "high")}
        for method in METHODS
        if method in by_method.index
    }
    return numbers | {"said": in_words(rows)} | methods


def in_words(rows: pd.DataFrame) -> str:
    """The truth, the recommendation, and which metrics fail, on one toy, from its rows of `RECOMMENDED`.

    A metric fails where it names no L0, or one that is off by more than a quarter and whose interval the truth is
    outside of.
    """
    true_l0, by_method = rows["true_l0"].iloc[0], {row["method"]: row for _, row in rows.iterrows()}
    combined = by_method.pop("combined")
    said = [f"{true_l0:.3g} features are active at a time. {_recommendation(combined, true_l0)}"]
    for method, row in by_method.items():
        if pd.isna(row["l0"]):
            said.append(f"{method} names none ({row['verdict']}).")
        elif abs(row["l0"] / true_l0 - 1) > _WRONG and not row["low"] <= true_l0 <= row["high"]:
            said.append(f"{method} fails: {_said(row)}, {_off(row['l0'], true_l0)}.")
    return " ".join(said)


def _recommendation(row: pd.Series, true_l0: float) -> str:
    if pd.isna(row["l0"]):
        return f"The recommendation names no L0 ({row['verdict']})."
    holds = "holds" if row["low"] <= true_l0 <= row["high"] else "does not hold"
    return f"The recommendation is {_said(row)}, {_off(row['l0'], true_l0)}: its interval {holds} the truth."


def _said(row: pd.Series) -> str:
    return f"{row['l0']:.3g}" + (f" ({row['low']:.3g} to {row['high']:.3g})" if pd.notna(row["low"]) else "")


def _off(l0: float, true_l0: float) -> str:
    return f"{abs(l0 / true_l0 - 1):.0%} too {'high' if l0 > true_l0 else 'low'}"


def _rounded(value: Any) -> float | None:
    return None if pd.isna(value) else round(float(value), 4)


def _mcc_rows(saes: pd.DataFrame) -> Rows:
    return saes.assign(setting=saes["k"], value=1 - saes["mcc"], error=0.0)[["setting", "l0", "value", "error"]]


def _row(verdict: Verdict) -> dict[str, Any]:
    return {
        "method": _method(verdict.metric),
        "verdict": verdict.kind,
        "l0": verdict.l0,
        "low": verdict.low,
        "high": verdict.high,
    }


def _method(metric: str) -> str:
    return "width" if metric.startswith("w_") else metric


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
