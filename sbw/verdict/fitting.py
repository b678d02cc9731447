"""Fits the score of `sbw/verdict/offsets.py` to sweeps on toys whose L0 is known.

Each f_j is a sum of hat functions at quantiles of its evidence. Their heights come from one ridge regression of
log(L0 / learnable L0), weighted so that SAEs near the right L0 matter most.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sbw.verdict.offsets import Piece, Score, alone_scales, estimate
from sbw.verdict.pieces import ALONE, SWEPT, pieces_of
from sbw.verdict.rule import INTERVAL, LEAST_L0S, Floats

KNOTS = 5
"""Knots of each f_j: the quantiles 0.02 … 0.98 of its evidence, evenly spaced."""
RIDGE = 3.0
"""Penalty of the squared heights."""
RESAMPLINGS = 20
"""Draws of the toys, with replacement, that the fit is repeated on."""
CLOSE = 0.8
"""An SAE whose log(L0 / learnable L0) is t weighs exp(−(t / CLOSE)²)."""
RANGES = {"0.3 to 3": (0.3, 3.0), "0.3 to 1.4": (0.3, 1.4), "0.6 to 4": (0.6, 4.0)}
"""Parts of a sweep, in multiples of the learnable L0, for fits and tests; the rule is not told which."""


class Swept(NamedTuple):
    """A sweep on a toy whose L0 is known, cut to one of RANGES."""

    toy: str
    range: str
    truth: float
    """log of the learnable L0."""
    evidence: pd.DataFrame
    """`pieces_of` its SAEs."""
    mcc: Floats
    """The MCC of each row, which the rule does not see."""
    saes: pd.DataFrame
    """Its rows of SAES."""
    projections: pd.DataFrame
    """Its rows of PROJECTIONS."""


def swept(
    saes: pd.DataFrame, projections: pd.DataFrame, ranges: Mapping[str, tuple[float, float]] = RANGES
) -> list[Swept]:
    """The sweep of one toy in each range, from its rows of SAES and PROJECTIONS; none of fewer than LEAST_L0S L0s."""
    found, l0 = [], saes["learnable_l0"].iloc[0]
    for name, (least, most) in ranges.items():
        means = saes.groupby("k")["l0"].mean()
        inside = saes["k"].isin(means[(means >= 0.98 * least * l0) & (means <= 1.02 * most * l0)].index)
        part = saes[inside]
        if part["k"].nunique() >= LEAST_L0S:
            of_part = projections[projections["k"].isin(part["k"])]
            evidence = pieces_of(part, of_part)
            mcc = part.groupby("k")["mcc"].mean()[evidence.index].to_numpy()
            found.append(Swept(str(part["toy"].iloc[0]), name, float(np.log(l0)), evidence, mcc, part, of_part))
    return found


FOLDS = 5
"""Parts of the toys, each a range of right L0s, that are left out of one fit each, for the intervals."""


def fitted_rule(sweeps: Sequence[Swept]) -> dict[str, Any]:
    """The document of `rule.json`, from sweeps on toys whose L0 is known.

    The scores are fitted on all toys. The intervals are by cross-conformal prediction (Vovk 2015), from errors on each
    of `folds` by scores that were fitted on the others: of a sweep from |error| / scale, of an SAE alone from
    |offset − log(L0 / learnable L0)| / scale.
    """
    missed, of_sweeps, of_saes = [], [], []
    for fold in folds(sweeps):
        others, own = ([one for one in sweeps if (one.toy in fold) == which] for which in (False, True))
        found = errors(fit(others, [*ALONE, *SWEPT]), own)
        missed.append(found["error"].abs())
        of_sweeps.append(missed[-1] / found["scale"])
        of_saes.append(errors_alone(fit(others, ALONE), own))
    in_sweep, alone = fit(sweeps, [*ALONE, *SWEPT]), fit(sweeps, ALONE)
    in_sweep = in_sweep._replace(error=conformal(np.concatenate(of_sweeps), INTERVAL))
    alone = alone._replace(error=conformal(np.concatenate(of_saes), INTERVAL))
    fitted = {
        "toys": len({one.toy for one in sweeps}),
        "folds": FOLDS,
        "level": INTERVAL,
        "ranges": RANGES,
        "latents": _ends([one.evidence["d_sae"].iloc[0] for one in sweeps]),
        "l0": _ends([round(float(np.exp(one.truth)), 2) for one in sweeps]),
        "median_error": float(np.median(np.concatenate(missed))),
    }
    return {"sweep": in_sweep.document, "alone": alone.document, "fitted_on": fitted}


def folds(sweeps: Sequence[Swept]) -> list[set[str]]:
    """FOLDS parts of the toys, by the right L0: a fit meets none as high, or as low, as those of the part left out.

    The errors are then those of a rule that is used on SAEs unlike its toys.
    """
    truths = {one.toy: one.truth for one in sweeps}
    return [set(fold) for fold in np.array_split(sorted(truths, key=truths.__getitem__), FOLDS)]


def fit(sweeps: Sequence[Swept], names: Collection[str]) -> Score:
    """The additive score of those pieces of evidence, with an error of 0, which `conformal` measures."""
    evidence = pd.concat([sweep.evidence for sweep in sweeps])
    target = np.concatenate([sweep.evidence["log_l0"] - sweep.truth for sweep in sweeps])
    weights = np.exp(-((target / CLOSE) ** 2))
    for name in names:
        assert evidence[name].notna().any(), f"no sweep has the piece of evidence {name}"
    knots = {name: _knots(evidence[name].to_numpy(float)) for name in names}
    hats = [_centred_hats(evidence[name].to_numpy(float), at, weights) for name, at in knots.items()]
    columns, means = np.hstack([centred for centred, _ in hats]), [of_piece for _, of_piece in hats]
    toys, of_row = np.unique([sweep.toy for sweep in sweeps for _ in range(len(sweep.evidence))], return_inverse=True)
    drawn = np.random.default_rng(0).integers(len(toys), size=(RESAMPLINGS, len(toys)))
    counts = [np.bincount(each, minlength=len(toys))[of_row] for each in drawn]
    base, adds = _solved(columns, target, weights, means)
    of_draws = [_solved(columns, target, weights * count, means) for count in counts]
    pieces = {
        name: Piece(_rounded(knots[name]), _rounded(adds[i]), [_rounded(of_draw[i]) for _, of_draw in of_draws])
        for i, name in enumerate(knots)
    }
    return Score(round(base, 4), pieces, 0.0, [round(of_draw, 4) for of_draw, _ in of_draws])


def _solved(columns: Floats, target: Floats, weights: Floats, means: list[Floats]) -> tuple[float, list[Floats]]:
    """The base, and the values at the knots of each piece, by ridge regression on hats whose means are subtracted."""
    base = float(np.average(target, weights=weights))
    square = columns.T @ (weights[:, None] * columns) + RIDGE * np.eye(columns.shape[1])
    heights = np.linalg.solve(square, columns.T @ (weights * (target - base)))
    of_each = np.split(heights, np.cumsum([len(of_piece) for of_piece in means])[:-1])
    return base, [of_piece - mean @ of_piece for of_piece, mean in zip(of_each, means, strict=True)]


def errors(score: Score, sweeps: Sequence[Swept]) -> pd.DataFrame:
    """`error`, log(recommended / learnable L0), and `scale` of each sweep, with its `toy` and `range`."""
    found = [estimate(score, one.evidence) for one in sweeps]
    rows = [(one.toy, one.range, of.log_l0 - one.truth, of.scale) for one, of in zip(sweeps, found, strict=True)]
    return pd.DataFrame(rows, columns=["toy", "range", "error", "scale"])


def errors_alone(score: Score, sweeps: Sequence[Swept]) -> Floats:
    """|offset − log(L0 / learnable L0)| / scale of each SAE by itself."""
    return np.concatenate(
        [
            np.abs(score.offsets(one.evidence) - one.evidence["log_l0"].to_numpy() + one.truth)
            / alone_scales(score, one.evidence)
            for one in sweeps
        ]
    )


def conformal(magnitudes: Floats, level: float) -> float:
    """Half the width of a conformal interval: the ⌈(n + 1) level⌉-th least of n magnitudes of errors."""
    place = min(len(magnitudes), int(np.ceil((len(magnitudes) + 1) * level)))
    return float(np.sort(magnitudes)[place - 1])


def _ends(values: Sequence[float]) -> list[float]:
    return [float(min(values)), float(max(values))]


def _rounded(values: Floats) -> list[float]:
    return [float(f"{value:.4g}") for value in values]


def _knots(values: Floats) -> Floats:
    finite = values[np.isfinite(values)]
    knots = np.unique(np.quantile(finite, np.linspace(0.02, 0.98, KNOTS)))
    return knots if len(knots) > 1 else np.array([knots[0], knots[0] + 1])


def _centred_hats(values: Floats, at: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """The hat functions less their means, 0 where the evidence is NaN; and the means."""
    known = ~np.isnan(values)
    hats = np.stack([np.interp(np.where(known, values, at[0]), at, one) for one in np.eye(len(at))], axis=1)
    means = np.average(hats[known], axis=0, weights=weights[known])
    return (hats - means) * known[:, None], means
