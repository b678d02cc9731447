"""How well the recommendation and the common practice find the known L0 of toys."""

from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from sbw.files import column
from sbw.verdict.evidence import best_n, rows_of, s_n_rows, sensitivity
from sbw.verdict.recommendation import CURVES, INTERVAL_COLUMNS, curves_table, recommend
from sbw.verdict.rule import INTERVAL, in_words, judge, knee

_TOY = [
    column("toy", pa.string(), "toy that was swept"),
    column("like", pa.string(), "first toy that differs in the number of latents alone"),
    column("set", pa.string(), "development: the rule was made on these toys; held_out, awkward: only tried"),
    column("num_features", pa.int64(), "features of the toy"),
    column("d_sae", pa.int64(), "latents of the SAEs"),
]
RECOMMENDED = pa.schema(
    [
        *_TOY,
        column("true_l0", pa.float64(), "active features per sample, on average"),
        column("method", pa.string(), "a metric, combined (their median), knee (of the variance explained) or mcc"),
        column("verdict", pa.string(), "minimum, elbow, inconclusive or edge; null for the knee"),
        column("l0", pa.float64(), "recommended L0; null where none is named"),
        *INTERVAL_COLUMNS,
    ]
)
TRIED = pa.schema(
    [
        *_TOY,
        column("metric", pa.string(), "c_dec, width (s_n - s_(h-n)), stability (1 - agreement), s_n or mcc (1 - MCC)"),
        *(field for field in CURVES if field.name not in ("metric", "value")),
        column("value", pa.float64(), "the metric, in the units of sbw/verdict/evidence.py; lower is better"),
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
    """The results on a sweep of one toy, without the columns that describe the toy."""

    recommended: pd.DataFrame
    """The rows of `RECOMMENDED`, one per method."""
    curves: pd.DataFrame
    """The rows of `TRIED`: its metrics against L0."""


def tried(saes: pd.DataFrame, projections: pd.DataFrame, pairs: pd.DataFrame, seed: int) -> Tried:
    """What every method recommends on a sweep of one toy, and from which curves; arguments as of `recommend`."""
    found = recommend(saes, projections, pairs, seed=seed)
    s_n = s_n_rows(projections, saes)
    others = {"s_n": s_n[s_n["n"] == best_n(sensitivity(s_n))], "mcc": rows_of(saes, 1 - saes["mcc"])}
    verdicts = [*found.verdicts, *(judge(metric, rows, seed) for metric, rows in others.items())]
    rows = [{"method": _method(verdict.metric), **verdict.row} for verdict in verdicts]
    curve = saes.groupby("k")[["l0", "variance_explained_about_zero"]].mean()
    rows.append({"method": "knee", "l0": knee(*(curve[name].to_numpy() for name in curve.columns))})
    true_l0 = saes["true_l0"].iloc[0]
    curves = curves_table(found.metrics | others, verdicts, true_l0)
    return Tried(pd.DataFrame(rows).assign(true_l0=true_l0), curves.assign(metric=curves["metric"].map(_method)))


def method_scores(table: pd.DataFrame) -> dict[str, dict[str, dict[str, Any]]]:
    """How good each method is, from the rows of `RECOMMENDED`, by set and method.

    `toys`: their number; `named`: on how many the method names an L0; `covered`: share of those whose interval holds
    the true L0; `median_error` and `worst_error`: of |L0 − true| / true.
    """
    error = (table["l0"] - table["true_l0"]).abs() / table["true_l0"]
    inside = (table["low"] <= table["true_l0"]) & (table["true_l0"] <= table["high"])
    table = table.assign(error=error, inside=inside)
    return {
        str(name): {method: _score(of_set[of_set["method"] == method]) for method in METHODS}
        for name, of_set in table.groupby("set")
    }


def toy_summary(rows: pd.DataFrame) -> dict[str, Any]:
    """One toy's numbers, words and recommendations per method, from its rows of `RECOMMENDED`."""
    first, by_method = rows.iloc[0], rows.set_index("method")
    numbers = {name: int(first[name]) for name in ("num_features", "d_sae")} | {"true_l0": round(first["true_l0"], 4)}
    methods = {
        method: {name: _rounded(by_method.loc[method, name]) for name in ("l0", "low", "high")}
        for method in METHODS
        if method in by_method.index
    }
    return numbers | {"level": INTERVAL, "words": toy_words(rows)} | methods


def toy_words(rows: pd.DataFrame) -> str:
    """The truth, the recommendation, and which methods fail on one toy, from its rows of `RECOMMENDED`.

    A method fails if it names no L0, or one that is off by more than a quarter with an interval that misses the truth.
    """
    true_l0, by_method = rows["true_l0"].iloc[0], {row["method"]: row for _, row in rows.iterrows()}
    sentences = [f"{true_l0:.3g} features are active per sample.", _recommended(by_method.pop("combined"), true_l0)]
    for method, row in by_method.items():
        if pd.isna(row["l0"]):
            sentences.append(f"{method} names no L0 ({row['verdict']}).")
        elif abs(row["l0"] / true_l0 - 1) > _WRONG and not row["low"] <= true_l0 <= row["high"]:
            sentences.append(f"{method} fails: {_named(row, true_l0)}.")
    return " ".join(sentences)


def _recommended(row: pd.Series, true_l0: float) -> str:
    if pd.isna(row["l0"]):
        return f"The recommendation names no L0 ({row['verdict']})."
    holds = "holds" if row["low"] <= true_l0 <= row["high"] else "does not hold"
    return f"The recommendation is {_named(row, true_l0)}; the interval {holds} the true L0."


def _named(row: pd.Series, true_l0: float) -> str:
    interval = f" ({in_words(row['low'], row['high'])})" if pd.notna(row["low"]) else ""
    off = f"{100 * abs(row['l0'] / true_l0 - 1):.0f} % too {'high' if row['l0'] > true_l0 else 'low'}"
    return f"{row['l0']:.3g}{interval}, {off}"


def _rounded(value: Any) -> float | None:
    return None if pd.isna(value) else round(float(value), 4)


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
