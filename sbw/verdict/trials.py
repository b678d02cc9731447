"""How well the verdict and the common practice find the known L0 of toys."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from sbw.files import column, load_table
from sbw.params.validation import Validation
from sbw.verdict.evidence import best_n, s_n_rows, sensitivity, width_rows
from sbw.verdict.fitting import RANGES, Swept, fit, swept
from sbw.verdict.offsets import Score, alone_scales, estimate
from sbw.verdict.pieces import ALONE, SWEPT
from sbw.verdict.recommendation import INTERVAL_COLUMNS
from sbw.verdict.rule import Floats, curve_of, knee, right_l0
from sbw.verdict.weighing import weighed

RECOMMENDED = pa.schema(
    [
        column("toy", pa.string(), "toy that was swept"),
        column("set", pa.string(), "held_out: drawn as those that the rule was fitted on; stress: of other laws"),
        column("noisy", pa.bool_(), "whether the toy has noise"),
        column("range", pa.string(), "part of the sweep that is judged, in multiples of the learnable L0"),
        column("true_l0", pa.float64(), "learnable L0: active features per sample, of as many as there are latents"),
        column("method", pa.string(), "what names the L0"),
        column("l0", pa.float64(), "recommended L0; null where none is named"),
        *INTERVAL_COLUMNS,
        column("regret", pa.float64(), "best MCC of the sweep less that of the SAE nearest the recommended L0"),
    ]
)
METHODS = ("verdict", "knee", "description", "c_dec", "width", "s_n",
           "coherence", "coherence_pursuit", "gain", "mcc", "best", "truth")  # fmt: skip
"""What names an L0: the verdict; the knee of the variance explained; the least description length and c_dec; the floor
of the width and of s_n; the zero of coherence by the encoder's and by pursuit's codes; the sharpest drop of the gain
per latent; the best MCC, for which the features must be known; the rule fitted on the toys it is tried on; and the
learnable L0 itself, whose regret is that of a method without any error."""
OFF = np.log(1.25)
"""|log(L0 / learnable L0)| from which an SAE alone should be found too low or too high."""
BEYOND = {"0.3 to 0.75": (0.3, 0.75), "1.4 to 4": (1.4, 4.0)}
"""Parts of a sweep that do not hold the learnable L0, in multiples of it."""
_PRECISION = 0.05  # of a code and of an activation, in the activations' root mean square


def sweeps_of(
    params: Validation, which: str, measured: Path, ranges: Mapping[str, tuple[float, float]] = RANGES
) -> list[Swept]:
    """The sweeps of a set in each range, from the tables of its cells, which lie in the folder `measured`."""
    found: list[Swept] = []
    for cell in (name for name, cell in params.cells.items() if cell.set == which):
        saes, projections = (load_table(measured / cell / f"{table}.parquet") for table in ("saes", "projections"))
        of_toys = dict(list(projections.groupby("toy")))
        found += [one for toy, rows in saes.groupby("toy", sort=False) for one in swept(rows, of_toys[toy], ranges)]
    return found


def tried(sweeps: list[Swept], which: str) -> pd.DataFrame:
    """The rows of `RECOMMENDED` of a set, but for `noisy`."""
    best = fit(sweeps, [*ALONE, *SWEPT])
    return pd.DataFrame([row for one in sweeps for row in _tried(one, best)]).assign(set=which)


def _tried(one: Swept, best: Score) -> Iterator[dict[str, Any]]:
    log_l0, (verdict, _) = one.evidence["log_l0"].to_numpy(), weighed(one.evidence)
    named = {"verdict": np.nan if verdict.l0 is None else np.log(verdict.l0)}
    named |= {method: name(one) for method, name in _SINGLE.items()}
    named["best"] = estimate(best, one.evidence).log_l0
    for method, log_named in named.items():
        nearest = np.nan if np.isnan(log_named) else one.mcc[np.argmin(np.abs(log_l0 - log_named))]
        ends = verdict.row if method == "verdict" else dict.fromkeys(("low", "high", "level"))
        yield {
            "toy": one.toy,
            "range": one.range,
            "true_l0": np.exp(one.truth),
            "method": method,
            "l0": np.exp(log_named),
            **{name: ends[name] for name in ("low", "high", "level")},
            "regret": one.mcc.max() - nearest,
        }


def scores(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """How good each method is on some rows of `RECOMMENDED`.

    `sweeps`; `named`: share for which the method names an L0; `median_error` and `p90_error` of |log(L0 / true)|;
    `median_regret` and `p90_regret`; for the verdict `covered`, the share of its intervals that hold the true L0, and
    `ratio`, the median of their upper over their lower end; for others `worse_by`, the mean difference of |error| to
    the verdict's, and its 95 % interval, by a bootstrap over toys.
    """
    table = table.assign(error=np.abs(np.log(table["l0"] / table["true_l0"])))
    verdict = table[table["method"] == "verdict"].set_index(["toy", "range"])
    found: dict[str, dict[str, Any]] = {}
    for method in (name for name in METHODS if (table["method"] == name).any()):
        rows = table[table["method"] == method].set_index(["toy", "range"])
        found[method] = {
            "sweeps": len(rows),
            "named": rows["l0"].notna().mean(),
            "median_error": rows["error"].median(),
            "p90_error": rows["error"].quantile(0.9),
            "median_regret": rows["regret"].median(),
            "p90_regret": rows["regret"].quantile(0.9),
        }
        if method == "verdict":
            inside = (rows["low"] <= rows["true_l0"]) & (rows["true_l0"] <= rows["high"])
            found[method] |= {
                "covered": inside[rows["l0"].notna()].mean(),
                "ratio": (rows["high"] / rows["low"]).median(),
            }
        else:
            found[method]["worse_by"] = _mean_over_toys((rows["error"] - verdict["error"]).dropna())
    return found


def alone_scores(sweeps: list[Swept], rule: Score) -> dict[str, float]:
    """How often an SAE alone is found too low or too high where it is, of those off by a quarter or more."""
    offset = np.concatenate([rule.offsets(one.evidence) for one in sweeps])
    truth = np.concatenate([one.evidence["log_l0"] - one.truth for one in sweeps])
    half = rule.error * np.concatenate([alone_scales(rule, one.evidence) for one in sweeps])
    off, named = np.abs(truth) >= OFF, np.abs(offset) > half
    right = np.sign(offset) == np.sign(truth)
    coherence = np.concatenate([one.evidence["coherence_over_null"] for one in sweeps])
    return {
        "saes": int(off.sum()),
        "named": named[off].mean(),
        "right": right[off & named].mean(),
        "covered": (np.abs(offset - truth) <= half).mean(),
        "named_by_coherence": (np.abs(coherence) > 2)[off].mean(),
        "right_by_coherence": (np.sign(-coherence) == np.sign(truth))[off & (np.abs(coherence) > 2)].mean(),
    }


def beyond_scores(sweeps: list[Swept]) -> dict[str, dict[str, float]]:
    """What the verdict is on sweeps that do not hold the right L0, per range of BEYOND.

    `sweeps`; where there are any, the shares in which it says on which side the right L0 is and is right (`edge`), says
    so wrongly (`wrong_edge`), says nothing (`inconclusive`), names an L0 whose interval holds the right one
    (`covered`), or names another (`missed`).
    """
    found: dict[str, dict[str, float]] = {}
    for name in BEYOND:
        of_range = [_beyond(one) for one in sweeps if one.range == name]
        outcomes = ("edge", "wrong_edge", "inconclusive", "covered", "missed")
        shares = {each: of_range.count(each) / len(of_range) for each in outcomes} if of_range else {}
        found[name] = {"sweeps": len(of_range), **shares}
    return found


def _beyond(one: Swept) -> str:
    verdict, _ = weighed(one.evidence)
    if verdict.kind == "edge":
        above = one.truth > one.evidence["log_l0"].max()
        return "edge" if verdict.beyond == ("above" if above else "below") else "wrong_edge"
    if verdict.low is None or verdict.high is None:
        return "inconclusive"
    return "covered" if verdict.low <= np.exp(one.truth) <= verdict.high else "missed"


def _mean_over_toys(differences: pd.Series) -> list[float]:
    """The mean, and the ends of its 95 % interval."""
    of_toys = differences.groupby("toy").mean().to_numpy()
    drawn = np.random.default_rng(0).integers(len(of_toys), size=(2000, len(of_toys)))
    return [float(of_toys.mean()), *map(float, np.quantile(of_toys[drawn].mean(axis=1), [0.025, 0.975]))]


def _zero(one: Swept, piece: str) -> float:
    """The log L0 where a piece of evidence last falls through 0."""
    log_l0, values = one.evidence["log_l0"].to_numpy(), one.evidence[piece].to_numpy()
    above = np.flatnonzero((values[:-1] > 0) & (values[1:] <= 0))
    if not len(above):
        return np.nan
    i = above[-1]
    return float(log_l0[i] + values[i] / (values[i] - values[i + 1]) * (log_l0[i + 1] - log_l0[i]))


def _floor(one: Swept, rows_of: Callable[..., pd.DataFrame]) -> float:
    rows = rows_of(one.projections, one.saes)
    return float(np.log(right_l0(curve_of(rows[rows["n"] == best_n(sensitivity(rows))]))[0]))


def _at(one: Swept, values: Floats) -> float:
    return float(one.evidence["log_l0"].to_numpy()[np.nanargmin(values)])


def _description_length(one: Swept) -> Floats:
    """Bits per sample, a two-part code as in MDL-SAEs (Ayonrinde et al. 2024): which latents are active, how strongly,
    and what is left over, the last two to _PRECISION."""
    rows = one.saes.groupby("k").mean(numeric_only=True).sort_values("l0")
    total, d = rows["mse"] / (1 - rows["variance_explained_about_zero"]), rows["d_in"]
    step = _PRECISION**2 * total / d
    codes = 0.5 * np.log2(1 + (total - rows["mse"]).clip(lower=0) / rows["l0"] / step)
    return (rows["l0"] * (np.log2(rows["d_sae"]) + codes) + d / 2 * np.log2(1 + rows["mse"] / d / step)).to_numpy()


def _drop_of_gain(one: Swept) -> float:
    """Between the two L0s where the gain of variance explained per latent falls most, as a ratio."""
    l0, unexplained = (one.evidence[name].to_numpy() for name in ("l0", "unexplained"))
    gain = np.maximum(-np.diff(unexplained) / np.diff(l0), 1e-6)
    return float(np.log(l0[1 + np.argmax(gain[:-1] / gain[1:])]))


_SINGLE: dict[str, Callable[[Swept], float]] = {
    "knee": lambda one: float(np.log(knee(one.evidence["l0"].to_numpy(),
                                            1 - one.evidence["unexplained"].to_numpy()))),
    "description": lambda one: _at(one, _description_length(one)),
    "c_dec": lambda one: _at(one, one.evidence["c_dec"].to_numpy()),
    "width": lambda one: _floor(one, width_rows),
    "s_n": lambda one: _floor(one, s_n_rows),
    "coherence": lambda one: _zero(one, "coherence"),
    "coherence_pursuit": lambda one: _zero(one, "coherence_pursuit"),
    "gain": _drop_of_gain,
    "mcc": lambda one: _at(one, -one.mcc),
    "truth": lambda one: one.truth,
}  # fmt: skip
