"""Every claim of the report, by section, and those about the sweep.

A claim is judged by the mean over the seeds, unless it is about each seed.
"""

import math
from collections.abc import Callable

from sbw.report import experiment_claims as experiments
from sbw.report.claim import (
    RIGHT_K,
    Claim,
    Tolerance,
    around,
    between,
    limit,
    minimum,
    mse_below_truth,
    near,
    of_k,
    of_mean,
    of_one,
    untested,
)
from sbw.report.presupposed import deviation
from sbw.report.results import Results, explained_above_truth, floor, floor_runs, groups, trained, truth
from sbw.report.words import count, fixed, ranges, spread
from sbw.verdict.rule import INTERVAL


def all_claims(results: Results) -> dict[str, list[Claim]]:
    """The claims of each section of the report, by its title.

    Where the params are not those that a claim presupposes it is not tested, whatever was measured.
    """
    found: dict[str, list[Claim]] = {}
    for title, group, claims in GROUPS:
        reason = deviation(results.params, group)
        of_group = claims(results)
        if reason:
            of_group = [claim._replace(holds=None, reason=reason) for claim in of_group]
        found.setdefault(title, []).extend(of_group)
    return found


def _toy(results: Results) -> list[Claim]:
    return [of_one("true L0 of the toy", "10.9525", results.toy_stats["true_l0"], 4, near(10.9525, 0.05))]


def _at(results: Results, k: int, name: str, column: str, digits: int, paper: str, tolerance: Tolerance) -> Claim:
    values = trained(results.saes["sweep"], k)[column]
    return of_mean(f"k = {k}: {name}", paper, values, digits, tolerance, f"sweep.cells has no {k}")


def _right(results: Results) -> list[Claim]:
    explained = "variance_explained_about_zero"
    return [
        _at(results, 11, "MCC", "mcc", 4, "1, or 0.978 where a latent is stuck", limit("≥ 0.95")),
        _at(results, 11, "variance explained about zero", explained, 4, "≈ 1", limit("≥ 0.98")),
        _at(results, 11, "c_dec", "c_dec", 4, "lowest of all k", limit("< 0.01")),
    ]


def _low(results: Results) -> list[Claim]:
    return [
        _at(results, 9, "c_dec", "c_dec", 4, "features mix", limit("> 0.015")),
        _at(results, 9, "MCC", "mcc", 4, "features mix", limit("< 0.95")),
    ]


def _mse(results: Results) -> list[Claim]:
    saes, what, tolerance = results.saes["sweep"], "k = 5: MSE, true features", between(4.6, 5.0)
    true, beats = truth(saes).get(5), "k = 9: MSE, trained and true features"
    return [
        _at(results, 5, "MSE, trained", "mse", 3, "2.73", between(2.5, 2.9)),
        untested(what, "4.88", tolerance.words, "sweep.cells has no 5")
        if true is None
        else of_one(what, "4.88", true["mse"], 3, tolerance),
        mse_below_truth(beats, "0.69 and 1.20 (SAELens, one seed)", saes, 9, "sweep.cells has no 9"),
    ]


def _high(results: Results) -> list[Claim]:
    right, claims = trained(results.saes["sweep"], RIGHT_K)["mcc"], []
    for k in (14, 18):
        mcc = trained(results.saes["sweep"], k)["mcc"]
        lower = Tolerance(f"lower than at k = {RIGHT_K}", lambda value: value < right.mean())
        missing = RIGHT_K if right.empty else k
        claim = of_mean(
            f"k = {k}: MCC", "degenerate", mcc if len(right) else right, 4, lower, f"sweep.cells has no {missing}"
        )
        if claim.ours:
            claim = claim._replace(ours=f"{claim.ours}; at {RIGHT_K}: {spread(right, 4)}")
        claims += [_at(results, k, "MSE", "mse", 3, "≈ 0", limit("< 0.2")), claim]
    return claims


def _sweep(results: Results) -> list[Claim]:
    saes, reason = results.saes["sweep"], around("sweep.cells", trained(results.saes["sweep"])["k"])
    minima = [minimum(saes, column, "", reason) for column in ("c_dec", "c_enc")]
    what, paper, tolerance = "first k with s_n within 0.01 of its least, n = ", str(RIGHT_K), near(RIGHT_K, 1)
    runs = [] if reason else floor_runs(results.projections)
    if not runs:
        return [*minima, untested(f"{what}12–25", paper, tolerance.words, reason or "sweep.d_sae is too low")]
    rows = results.projections[results.projections["variant"] == "trained"]
    for k, ns in runs:
        by_seed = [floor(of_one) for _, of_one in groups(rows[rows["n"].isin(ns)], "seed", "n")]
        ours = of_k(k, by_seed, rows["seed"].nunique())
        minima.append(tolerance.judge(f"{what}{ranges(ns)}", paper, ours, k))
    return minima


def _tradeoff(results: Results) -> list[Claim]:
    saes, what = results.saes["sweep"], "variance explained (about zero), trained above the true features"
    better = [value > 0 for k, value in explained_above_truth(saes).items() if k <= RIGHT_K - 1]
    paper, tolerance, seeds = f"at every k < {RIGHT_K}", "at every k", count(trained(saes)["seed"].nunique(), "seed")
    if not better:
        return [untested(what, paper, tolerance, f"sweep.cells has none below {RIGHT_K}")]
    ours = f"at {sum(better)} of {count(len(better), 'value of k', 'values of k')} (mean over {seeds})"
    return [Claim(what, paper, ours, tolerance, all(better))]


def _recommended(results: Results) -> list[Claim]:
    saes, found, tolerance = trained(results.saes["sweep"]), results.recommendation, near(10.95, 1)
    what, paper = "L0 that the sweep recommends", "11, by eye"
    if reason := around("sweep.cells", saes["k"]):
        return [untested(what, paper, tolerance.words, reason)]
    if found["l0"] is None:
        return [Claim(what, paper, f"none: {found['verdict']}", tolerance.words, False)]
    interval = f"{100 * INTERVAL:.0f} % interval {fixed(found['low'], 2)} to {fixed(found['high'], 2)}"
    ours = f"{fixed(found['l0'], 2)} ({interval}, {count(saes['seed'].nunique(), 'seed')})"
    return [tolerance.judge(what, paper, ours, found["l0"])]


def _automatic(results: Results) -> list[Claim]:
    section, ends, claims = results.params.automatic_l0, results.automatic.groupby("start")["l0"].last(), []
    for start in (3, 25):
        what, paper, tolerance = f"L0 that moves itself, from {start}", "11", near(10.95, 1)
        if start not in ends:
            claims.append(untested(what, paper, tolerance.words, f"automatic_l0.starts has no {start}"))
            continue
        ours = f"{fixed(ends[start], 2)} ({count(len(section.seeds), 'seed')} trained together)"
        claims.append(tolerance.judge(what, paper, ours, ends[start]))
    return claims


def _public(results: Results) -> list[Claim]:
    """The paper's notebook, run on the directory of the same release of SAELens, gives the same numbers."""
    l0 = results.pretrained.loc[results.pretrained["selected"]].set_index("model")["l0"]
    gemma = l0[l0.index == "gemma-2-2b"]
    rows: list[tuple[str, float, float, int]] = [
        ("public SAEs with a known L0", 739, len(l0), 0),
        ("their models", 16, l0.index.nunique(), 0),
        ("median L0", 50, l0.median(), 0),
        ("share with an L0 below 100, in %", 95.7, 100 * (l0 < 100).mean(), 1),
        ("gemma-2-2b: SAEs", 80, len(gemma), 0),
        ("gemma-2-2b: mean L0", 68.12, gemma.mean(), 2),
        ("gemma-2-2b: median L0", 40, gemma.median(), 0),
    ]
    return [
        of_one(what, f"{paper:g}", ours, digits, near(paper, 0.5 * 10.0**-digits)._replace(words="equal"))
        if not math.isnan(ours)
        else untested(what, f"{paper:g}", "equal", "no SAE of that model is selected")
        for what, paper, ours, digits in rows
    ]


GROUPS: list[tuple[str, str, Callable[[Results], list[Claim]]]] = [
    ("Set-up", "toy", _toy),
    ("The right L0", "sweep", _right),
    ("Too low", "sweep", _low),
    ("MSE at low L0", "sweep", _mse),
    ("From the truth", "finetune", experiments.finetune),
    ("Too high", "sweep", _high),
    ("The sweep", "sweep", _sweep),
    ("The trade-off that misleads", "sweep", _tradeoff),
    ("Transitions", "transition", experiments.transition),
    ("JumpReLU", "jumprelu", experiments.jumprelu),
    ("Five features", "mixing", experiments.mixing),
    ("Five features", "mixing_l0", experiments.mixing_l0),
    ("Superposition", "mixing_superposed", experiments.mixing_superposed),
    ("Superposition", "superposition", experiments.superposition),
    ("Not in the paper", "mixing_zipf", experiments.mixing_zipf),
    ("Which L0, then", "sweep", _recommended),
    ("Which L0, then", "automatic_l0", _automatic),
    ("Public SAEs", "public", _public),
]
"""The section of each group of claims, the group in `PRESUPPOSED`, and what judges it."""
