"""The claims about the experiments."""

import pandas as pd

from sbw.params.training import Ramp, Transition
from sbw.report.claim import RIGHT_K, Claim, Tolerance, around, limit, minimum, mse_below_truth, near, of_mean, untested
from sbw.report.presupposed import ramp_deviation
from sbw.report.results import Results, groups, trained
from sbw.report.words import count, fixed, listed, share, short, spread

FIVE_L0 = 2.0
"""True L0 of the paper's toys with five features."""
LEAST_K, LEAST_RHO = 1.7, 0.2
"""The lowest L0 that the paper has for them, and the weakest correlation of which the sign is tested."""
RECOVERED = 0.95
"""MCC from which on features count as recovered."""


def finetune(results: Results) -> list[Claim]:
    """A too low L0 mixes features even from the right start."""
    saes, name, reason = results.saes_of("finetune"), "from the truth at k = 5", "experiments.finetune.ks has no 5"
    mcc = trained(saes, 5)["mcc"]
    return [
        of_mean(f"{name}: MCC", "features mix", mcc, 4, limit("< 0.95"), reason),
        mse_below_truth(f"{name}: MSE, trained and true features", "less", saes, 5, reason),
    ]


def transition(results: Results) -> list[Claim]:
    """L0 lowered to the right value recovers the features, L0 raised to it does not."""
    section, saes = results.params.experiments.get("transition"), trained(results.saes_of("transition"))
    ramps = section.ramps if isinstance(section, Transition) else []
    return [
        *_ramps("above", [ramp for ramp in ramps if ramp.initial_k > ramp.k], saes),
        *_ramps("below", [ramp for ramp in ramps if ramp.initial_k <= ramp.k], saes),
        _ends(ramps, saes),
    ]


def _ramps(side: str, ramps: list[Ramp], saes: pd.DataFrame) -> list[Claim]:
    recovers = side == "above"
    paper = "recovers" if recovers else "does not recover"
    tolerance = f"MCC {'≥' if recovers else '<'} {RECOVERED} in every seed"
    if not ramps:
        reason = f"experiments.transition.ramps has none from {side}"
        return [untested(f"from {side} to {RIGHT_K}", paper, tolerance, reason)]
    claims = []
    for ramp in ramps:
        like = (saes["initial_k"] == ramp.initial_k) & (saes["k"] == ramp.k) & (saes["samples"] == ramp.samples)
        mcc, reason = saes.loc[like, "mcc"], ramp_deviation(ramp)
        right = (mcc >= RECOVERED) == recovers
        what = f"from {side}, {short(ramp.initial_k)} → {short(ramp.k)} in {ramp.samples:,} samples"
        ours = f"{share(right)}; MCC {spread(mcc, 4)}"
        claims.append(Claim(what, paper, ours, tolerance, None if reason else bool(right.all()), reason))
    return claims


def _ends(ramps: list[Ramp], saes: pd.DataFrame) -> Claim:
    ends, reason = sorted(set(saes["k"])), next(filter(None, map(ramp_deviation, ramps)), "")
    what, paper = "every ramp is over before the training", f"{RIGHT_K} (its notebook stops at 7)"
    holds = None if reason else ends == [RIGHT_K]
    return Claim(what, paper, listed(map(short, ends)), f"k = {RIGHT_K} at the end", holds, reason)


def by_coefficient(saes: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds by coefficient: `l0`, `c_dec`, `mcc` and `true_l0`."""
    return trained(saes).groupby("l0_coefficient")[["l0", "c_dec", "mcc", "true_l0"]].mean()


def jumprelu(results: Results) -> list[Claim]:
    """The metrics find the true L0 in another architecture, which tends there by itself."""
    saes = results.saes_of("jumprelu")
    where, stay, within = "JumpReLU: L0 of the least c_dec", "JumpReLU: coefficients that end within 1", "true L0 ± 1.5"
    third = "a third of them or more"
    if saes.empty:
        return [untested(where, "true L0", within, ""), untested(stay, "many", third, "")]
    by, seeds = by_coefficient(saes), count(trained(saes)["seed"].nunique(), "seed")
    true_l0, best = float(by["true_l0"].iloc[0]), by.loc[by["c_dec"].idxmin()]
    close = int(((by["l0"] - true_l0).abs() <= 1).sum())
    least = f"{fixed(best['l0'], 2)} (c_dec {fixed(best['c_dec'], 4)}, {seeds}), true L0 {fixed(true_l0, 2)}"
    return [
        Claim(where, "true L0", least, within, bool(abs(best["l0"] - true_l0) <= 1.5)),
        Claim(stay, "many", f"{close} of {len(by)} (mean over {seeds})", third, 3 * close >= len(by)),
    ]


def mixing(results: Results) -> list[Claim]:
    """Mixing has the sign of the correlation, and there is none without one."""
    rows = results.mixing_of("mixing")
    none = rows.loc[(rows["rho"] == 0) & _too_low(rows), "mixing"]
    zero = Tolerance("|mean| ≤ 0.02", near(0, 0.02).test)
    reason = "experiments.mixing has no rho of 0, or no k from 1.7 to 2"
    return [
        _sign(f"mixing has the sign of ρ, |ρ| ≥ {LEAST_RHO}", "always", results, "mixing"),
        of_mean("mixing at ρ = 0", "0", none, 4, zero, reason),
    ]


def mixing_superposed(results: Results) -> list[Claim]:
    """Superposition does not change what is mixed."""
    return [_sign("five features in superposition: sign of ρ", "the same", results, "mixing_superposed")]


def mixing_zipf(results: Results) -> list[Claim]:
    """Ours, not the paper's: unequal firing rates do not change the sign of mixing."""
    return [_sign("firing rates by Zipf's law: sign of ρ", "does not look at it", results, "mixing_zipf")]


def superposition(results: Results) -> list[Claim]:
    """Superposition does not change where c_dec has its minimum."""
    saes = results.saes_of("superposition")
    reason = around("experiments.superposition.ks", trained(saes)["k"])
    return [minimum(saes, "c_dec", ", 50 features in 40 dimensions", reason)]


def _too_low(rows: pd.DataFrame) -> "pd.Series[bool]":
    return (rows["k"] >= LEAST_K) & (rows["k"] < FIVE_L0)


def _strong(rows: pd.DataFrame) -> "pd.Series[bool]":
    return rows["rho"].abs() >= LEAST_RHO - 1e-9


def _sign(what: str, paper: str, results: Results, name: str) -> Claim:
    rows, tolerance = results.mixing_of(name), "sign of the mean over seeds, at every ρ"
    rows = rows[_strong(rows) & _too_low(rows)]
    if rows.empty:
        return untested(what, paper, tolerance, f"experiments.{name} has no |rho| ≥ 0.2, or no k from 1.7 to 2")
    by = rows.groupby(["rho", "k"])["mixing"].mean().reset_index()
    agree = int((by["mixing"] * by["rho"] > 0).sum())
    low, high = by.loc[by["rho"].idxmin()], by.loc[by["rho"].idxmax()]
    ends = listed(f"{fixed(end['mixing'], 4)} at ρ = {short(end['rho'])}" for end in (low, high))
    ours = f"{agree} of {len(by)}; {ends} ({count(rows['seed'].nunique(), 'seed')})"
    return Claim(what, paper, ours, tolerance, agree == len(by))


def mixing_l0(results: Results) -> list[Claim]:
    """The lower L0, the more mixing, and none where L0 is right."""
    rows = results.mixing_of("mixing_l0")
    rows = rows[_strong(rows) & rows["k"].between(LEAST_K, FIVE_L0)]
    return [_none_at_right_l0(rows[rows["k"] == FIVE_L0]), _more_at_lower_l0(rows)]


def _none_at_right_l0(rows: pd.DataFrame) -> Claim:
    what, tolerance = f"mixing at L0 = {FIVE_L0}", "|mean| < 0.03 at every ρ"
    if rows.empty:
        return untested(what, "0", tolerance, f"experiments.mixing_l0 has no k of {FIVE_L0:g}, or no |rho| ≥ 0.2")
    by = [(rho, of_rho["mixing"]) for rho, of_rho in groups(rows, "rho")]
    ours = "; ".join(f"{spread(values, 4)} at ρ = {short(rho)}" for rho, values in by)
    return Claim(what, "0", ours, tolerance, all(abs(values.mean()) < 0.03 for _, values in by))


def _more_at_lower_l0(rows: pd.DataFrame) -> Claim:
    what, paper, tolerance = "the lower L0, the more mixing", "yes", "|mean| falls with L0 at every ρ"
    if rows["k"].nunique() < 2:
        return untested(what, paper, tolerance, "experiments.mixing_l0 has no two k from 1.7 to 2, or no |rho| ≥ 0.2")
    by = [(rho, of_rho.groupby("k")["mixing"].mean()) for rho, of_rho in groups(rows, "rho")]
    falls = all(means.abs().is_monotonic_decreasing and means.abs().is_unique for _, means in by)
    ends = "; ".join(
        f"ρ = {short(rho)}: {fixed(means.iloc[0], 4)} at L0 = {short(means.index[0])}, "
        f"{fixed(means.iloc[-1], 4)} at {short(means.index[-1])}"
        for rho, means in by
    )
    return Claim(what, paper, f"{ends} ({count(rows['seed'].nunique(), 'seed')})", tolerance, falls)
