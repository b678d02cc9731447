"""The L0 that a sweep recommends: a verdict per metric, and one of all metrics together."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from sbw.files import column, save_table
from sbw.metrics.codes import CODE_COLUMNS
from sbw.run.errors import UserError
from sbw.verdict.evidence import best_n, c_dec_rows, sensitivity, stability_rows, width_rows
from sbw.verdict.pieces import ALONE, SWEPT, pieces_of
from sbw.verdict.rule import INTERVAL, Rows, Verdict, combine, judge
from sbw.verdict.weighing import weighed

INTERVAL_COLUMNS = [
    column("low", pa.float64(), f"lower end of its {100 * INTERVAL:.0f} % interval"),
    column("high", pa.float64(), "upper end of the interval"),
    column("level", pa.float64(), "level of the interval: share of the draws of the seeds within it"),
]
CURVES = pa.schema(
    [
        column("metric", pa.string(), "c_dec, w_n (the width s_n - s_(h-n)), or stability (1 - agreement)"),
        column("setting", pa.float64(), "k: equal for SAEs that differ in their seed alone"),
        column("l0", pa.float64(), "active latents per sample of the SAE"),
        column("value", pa.float64(), "the metric, in units of its value for random directions; lower is better"),
        column("verdict", pa.string(), "verdict of the metric: minimum, elbow, inconclusive or edge"),
        column("recommended", pa.float64(), "recommended L0; null where the metric names none"),
        *INTERVAL_COLUMNS,
        column("true_l0", pa.float64(), "active features per sample, on average; null where unknown"),
    ]
)
SENSITIVITY = pa.schema(
    [
        column("n", pa.int64(), "n of the width s_n - s_(h-n), in latents per sample"),
        column("l0", pa.float64(), "recommended L0; null where this n names none"),
        column("agreeing", pa.int64(), "number of n that recommend an L0 between the same two of the sweep"),
    ]
)


EVIDENCE = pa.schema(
    [
        column("l0", pa.float64(), "active latents per sample"),
        column("piece", pa.string(), "piece of evidence, in words"),
        column("adds", pa.float64(), "what it adds to log(L0 / right L0): below 0 it says that L0 is too low"),
        column("recommended", pa.float64(), "recommended L0; null where none is named"),
        column("true_l0", pa.float64(), "active features per sample, on average; null where unknown"),
    ]
)


_OF_CODES = {"d_sae", "dead_latents", *(field.name for field in CODE_COLUMNS)}


class Recommendation(NamedTuple):
    """What a sweep recommends, and why."""

    verdicts: list[Verdict]
    """One per metric, and, last, that of all together."""
    metrics: dict[str, Rows]
    """The rows of each metric, by its name."""
    curves: pd.DataFrame
    """The rows of `CURVES`: one per metric and SAE."""
    sensitivity: pd.DataFrame
    """The rows of `SENSITIVITY`, which decide the n of the width; none without projections."""
    evidence: pd.DataFrame
    """The rows of `EVIDENCE`: what each piece of evidence adds at each L0; none without codes."""

    @property
    def l0(self) -> float | None:
        """The recommended L0, in active latents per sample; None where no metric names one."""
        return self.verdicts[-1].l0

    @property
    def words(self) -> str:
        """The verdicts, one sentence per line."""
        return "\n".join(dict.fromkeys(verdict.words for verdict in self.verdicts))

    @property
    def document(self) -> dict[str, Any]:
        """The verdicts ready for JSON: that of all metrics together, and each metric's under `metrics`."""
        *each, combined = [(verdict.metric, verdict.row | {"words": verdict.words}) for verdict in self.verdicts]
        return combined[1] | {"metrics": dict(each)}

    def save(self, folder: Path) -> None:
        """Write curves.parquet, sensitivity.parquet and evidence.parquet to a folder."""
        save_table(self.curves, CURVES, folder / "curves.parquet")
        save_table(self.sensitivity, SENSITIVITY, folder / "sensitivity.parquet")
        save_table(self.evidence, EVIDENCE, folder / "evidence.parquet")


def recommend(
    saes: pd.DataFrame, projections: pd.DataFrame | None = None, pairs: pd.DataFrame | None = None, *, seed: int = 0
) -> Recommendation:
    """Which L0 is right, by the SAEs of a sweep, which differ in their L0 and their seeds alone.

    With their codes measured, by all pieces of evidence and the fitted rule (`sbw/verdict/offsets.py`); else by the
    median of what c_dec, and perhaps the width and the agreement of seeds, name.

    Args:
        saes: one row per SAE. `l0`: active latents per sample; `c_dec`: mean |cosine| of two decoder rows; `d_in`: the
            activations' width. Where several SAEs differ in their seed alone, also `k`, equal for these, and `seed`.
            With `projections`, also `mse` and `variance_explained_about_zero`. With codes, also the columns of
            `sbw.metrics.codes.CODE_COLUMNS`, `d_sae` and `dead_latents`.
        projections: s_n^dec of each SAE for n = 1 … h − 1, in the units of the activations: columns `k`, `seed`, `n`,
            `s_n` and `s_n_error`, its standard error.
        pairs: one row per pair of seeds of one k: `k`, `seed_a`, `seed_b`, and `agreement` of their decoders.
        seed: of the draws behind the intervals; a draw has the same seeds for all metrics.

    Raises:
        UserError: there is no SAE, a column is missing, a c_dec is unknown, or an L0 is not above 0.
    """
    of_codes = projections is not None and "coherence" in saes.columns
    needed = {"mse", "variance_explained_about_zero"} if projections is not None else set()
    saes = _checked(saes, needed | (_OF_CODES if of_codes else set()))
    metrics, by_n = {"c_dec": c_dec_rows(saes)}, pd.DataFrame(columns=SENSITIVITY.names)
    if projections is not None:
        widths = width_rows(projections, saes)
        by_n = sensitivity(widths)
        n = best_n(by_n)
        metrics[f"w_{n}"] = widths[widths["n"] == n]
    if pairs is not None and len(pairs):
        metrics["stability"] = stability_rows(pairs, saes)
    verdicts = [judge(metric, rows, seed) for metric, rows in metrics.items()]
    true_l0 = saes["true_l0"].iloc[0] if "true_l0" in saes.columns else math.nan
    together, evidence = combine(verdicts), pd.DataFrame(columns=EVIDENCE.names)
    if projections is not None and of_codes:
        together, evidence = _weighed(saes, projections, true_l0)
    curves = curves_table(metrics, verdicts, true_l0)
    return Recommendation([*verdicts, together], metrics, curves, by_n, evidence)


def _weighed(saes: pd.DataFrame, projections: pd.DataFrame, true_l0: float) -> tuple[Verdict, pd.DataFrame]:
    """The verdict of all pieces of evidence, and the rows of `EVIDENCE`."""
    pieces = pieces_of(saes, projections)
    verdict, adds = weighed(pieces)
    rows = adds.rename(columns=ALONE | SWEPT).assign(l0=pieces["l0"]).melt("l0", var_name="piece", value_name="adds")
    return verdict, rows.assign(recommended=math.nan if verdict.l0 is None else verdict.l0, true_l0=true_l0)


def curves_table(metrics: dict[str, Rows], verdicts: list[Verdict], true_l0: float) -> pd.DataFrame:
    """The rows of `CURVES`: each metric's rows, with its verdict."""
    rows = pd.concat([of_metric.assign(metric=metric) for metric, of_metric in metrics.items()])
    judged = pd.DataFrame([{"metric": verdict.metric, **verdict.row} for verdict in verdicts])
    judged = judged.rename(columns={"l0": "recommended"}).astype(dict.fromkeys(["recommended", "low", "high"], float))
    return rows.merge(judged, on="metric").assign(true_l0=true_l0)[CURVES.names]


def _checked(saes: pd.DataFrame, beside: set[str]) -> pd.DataFrame:
    needed = {"l0", "c_dec", "d_in"} | beside
    if missing := needed - set(saes.columns):
        columns = ", ".join(sorted(needed))
        raise UserError(f"`saes` must have the columns {columns}; missing: {', '.join(sorted(missing))}")
    if saes.empty:
        raise UserError("`saes` has no rows")
    if saes["c_dec"].isna().any():
        raise UserError("`saes`: `c_dec` must be known in every row")
    if not (saes["l0"] > 0).all():
        raise UserError(f"`saes`: `l0` must be above 0, got {saes.loc[~(saes['l0'] > 0), 'l0'].iloc[0]}")
    defaults = pd.DataFrame({"k": saes["l0"], "seed": range(len(saes))}, index=saes.index)
    return saes.join(defaults[defaults.columns.difference(saes.columns)])
