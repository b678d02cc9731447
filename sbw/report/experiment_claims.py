"""The claims about the experiments and the public SAEs."""

from collections.abc import Callable

import pandas as pd

from sbw.params.training import Grid, JumpReLU, Transition
from sbw.report.claims import RIGHT_K, Claim, below, least_claim, measured, mse_below_truth, near, over_seeds, untested
from sbw.report.results import Results, groups, trained
from sbw.report.words import count, listed, number, plain, share_of, spread

FIVE_L0 = 2.0
"""True L0 of the paper's toys with five features."""


def finetune_claims(results: Results) -> list[Claim]:
    """A too low L0 mixes features even from the right start."""
    params, name = results.experiment("finetune", Grid), "from the truth at k = 5"
    saes = results.saes["finetune"] if params and params.start == "truth" else None
    mixes, beats = f"{name}: MCC", f"{name}: MSE, trained and true features"
    if saes is None:
        return [untested(mixes, "features mix", "< 0.95"), untested(beats, "less", "trained < true features")]
    mcc = trained(saes, 5)["mcc"]
    return [over_seeds(mixes, "features mix", mcc, 4, below(0.95)), mse_below_truth(beats, "less", saes, 5)]


def transition_claims(results: Results) -> list[Claim]:
    """L0 lowered to the right value recovers the features, L0 raised to it does not."""
    saes = results.saes_of("transition", Transition)
    rows = pd.DataFrame(columns=["initial_k", "k", "samples", "mcc"]) if saes is None else trained(saes, RIGHT_K)
    down, up = rows[rows["initial_k"] > RIGHT_K], rows[rows["initial_k"] < RIGHT_K]
    return [
        *_ramp_claims("above", down, "recovers", "MCC ≥ 0.95 in every seed", lambda mcc: mcc >= 0.95),
        *_ramp_claims("below", up, "does not recover", "MCC < 0.95 in every seed", lambda mcc: mcc < 0.95),
        _ends_claim(saes),
    ]


def _ramp_claims(
    side: str, rows: pd.DataFrame, paper: str, tolerance: str, holds: Callable[[float], bool]
) -> list[Claim]:
    if rows.empty:
        return [untested(f"from {side} to {RIGHT_K}", paper, tolerance)]
    claims = []
    for (initial_k, samples), ramp in groups(rows, "initial_k", "samples"):
        flags = [holds(mcc) for mcc in ramp["mcc"]]
        what = f"from {side}, {plain(initial_k)} → {RIGHT_K} in {int(samples):,} samples"
        ours = f"{share_of(flags)}; MCC {spread(ramp['mcc'], 4)}"
        claims.append(Claim(what, paper, ours, tolerance, all(flags)))
    return claims


def _ends_claim(saes: pd.DataFrame | None) -> Claim:
    what, tolerance = "every ramp is over before the training", f"k = {RIGHT_K} at the end"
    paper = f"{RIGHT_K} (its notebook stops at 7)"
    if saes is None:
        return untested(what, paper, tolerance)
    ends = sorted(set(trained(saes)["k"]))
    return Claim(what, paper, listed(plain(k) for k in ends), tolerance, ends == [RIGHT_K])


def jumprelu_by_coefficient(saes: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds by coefficient: `l0`, `c_dec`, `mcc` and `true_l0`."""
    return trained(saes).groupby("l0_coefficient")[["l0", "c_dec", "mcc", "true_l0"]].mean()


def jumprelu_claims(results: Results) -> list[Claim]:
    """The metrics find the true L0 in another architecture, which tends there by itself."""
    saes = results.saes_of("jumprelu", JumpReLU)
    where, stay, within = "JumpReLU: L0 of the least c_dec", "JumpReLU: coefficients that end within 1", "true L0 ± 1.5"
    if saes is None or len(by := jumprelu_by_coefficient(saes)) < 3:
        return [untested(where, "true L0", within), untested(stay, "many", "a third of them or more")]
    true_l0 = float(by["true_l0"].iloc[0])
    close = int(((by["l0"] - true_l0).abs() <= 1).sum())
    best = by.loc[by["c_dec"].idxmin()]
    least = f"{number(best['l0'], 2)} (c_dec {number(best['c_dec'], 4)}), true L0 {number(true_l0, 2)}"
    both_sides = (by["l0"] < true_l0).any() and (by["l0"] > true_l0).any()
    return [
        Claim(where, "true L0", least, within, bool(abs(best["l0"] - true_l0) <= 1.5))
        if both_sides
        else untested(where, "true L0", within),
        Claim(stay, "many", f"{close} of {len(by)}", "a third of them or more", 3 * close >= len(by)),
    ]


def mixing_claims(results: Results) -> list[Claim]:
    """Mixing has the sign of the correlation, and there is none without one."""
    table = results.mixing_of("mixing")
    rows = None if table is None else table[table["k"] < FIVE_L0]
    none = pd.Series(dtype=float) if rows is None else rows.loc[rows["rho"] == 0, "mixing"]
    what = "mixing at ρ = 0"
    return [
        sign_claim("mixing has the sign of ρ, |ρ| ≥ 0.2", rows, "always", least_rho=0.2),
        over_seeds(what, "0", none, 4, near(0, 0.02)._replace(words="|mean| ≤ 0.02")),
    ]


def sign_claim(what: str, rows: pd.DataFrame | None, paper: str, least_rho: float = 0) -> Claim:
    """At every correlation of at least that strength, and every k, the mean mixing over seeds has its sign."""
    tolerance = "sign of the mean over seeds, at every ρ"
    strong = None if rows is None else rows[(rows["rho"] != 0) & (rows["rho"].abs() >= least_rho - 1e-9)]
    if strong is None or strong.empty:
        return untested(what, paper, tolerance)
    by = strong.groupby(["rho", "k"])["mixing"].mean().reset_index()
    agree = int((by["mixing"] * by["rho"] > 0).sum())
    low, high = by.loc[by["rho"].idxmin()], by.loc[by["rho"].idxmax()]
    ends = listed(f"{number(end['mixing'], 4)} at ρ = {plain(end['rho'])}" for end in (low, high))
    seeds = count(strong["seed"].nunique(), "seed")
    return Claim(what, paper, f"{agree} of {len(by)}; {ends} ({seeds})", tolerance, agree == len(by))


def mixing_l0_claims(results: Results) -> list[Claim]:
    """The lower L0, the more mixing, and none where L0 is right."""
    table = results.mixing_of("mixing_l0")
    by_k = {} if table is None else {rho: rows.groupby("k")["mixing"].mean() for rho, rows in groups(table, "rho")}
    return [_right_l0_claim(table), _lower_l0_claim(by_k)]


def _right_l0_claim(table: pd.DataFrame | None) -> Claim:
    what, tolerance = f"mixing at L0 = {FIVE_L0}", "|mean| < 0.03 at every ρ"
    rows = None if table is None else table[table["k"] == FIVE_L0]
    if rows is None or rows.empty:
        return untested(what, "0", tolerance)
    by = {rho: group["mixing"] for rho, group in groups(rows, "rho")}
    ours = "; ".join(f"{spread(values, 4)} at ρ = {plain(rho)}" for rho, values in by.items())
    return Claim(what, "0", ours, tolerance, all(abs(values.mean()) < 0.03 for values in by.values()))


def _lower_l0_claim(by: "dict[float, pd.Series[float]]") -> Claim:
    what, paper, tolerance = "the lower L0, the more mixing", "yes", "|mean| falls with L0 at every ρ"
    if not by or any(len(means) < 2 for means in by.values()):
        return untested(what, paper, tolerance)
    falls = all(means.abs().is_monotonic_decreasing and means.abs().is_unique for means in by.values())
    ours = "; ".join(
        f"ρ = {plain(rho)}: {number(means.iloc[0], 4)} at L0 = {plain(float(means.index[0]))}, "
        f"{number(means.iloc[-1], 4)} at {plain(float(means.index[-1]))}"
        for rho, means in by.items()
    )
    return Claim(what, paper, ours, tolerance, bool(falls))


def superposed_claims(results: Results) -> list[Claim]:
    """Superposition changes neither what is mixed nor where c_dec is least."""
    saes, where = results.saes_of("superposition", Grid), ", 50 features in 40 dimensions"
    sign = sign_claim("five features in superposition: sign of ρ", results.mixing_of("mixing_superposed"), "the same")
    if saes is None:
        return [sign, untested(f"k of the least c_dec{where}", str(RIGHT_K), near(RIGHT_K, 1).words)]
    return [sign, least_claim(saes, "c_dec", where)]


def zipf_claims(results: Results) -> list[Claim]:
    """Ours, not the paper's: unequal firing rates do not change the sign of mixing."""
    rows = results.mixing_of("mixing_zipf")
    return [sign_claim("firing rates by Zipf's law: sign of ρ", rows, "does not look at it")]


def selected(pretrained: pd.DataFrame) -> pd.DataFrame:
    """The public SAEs that the params ask for."""
    return pretrained[pretrained["selected"]]


def public_claims(results: Results) -> list[Claim]:
    """The paper's notebook, run on the directory of the same release of SAELens, gives the same numbers."""
    saes, wanted = selected(results.pretrained), results.params.collect_l0
    every = wanted.models == ["*"] and wanted.releases == ["*"] and wanted.require_neuronpedia
    gemma = saes.loc[saes["model"] == "gemma-2-2b", "l0"]
    rows: list[tuple[str, float, float, int]] = [
        ("public SAEs with a known L0", 739, len(saes), 0),
        ("their models", 16, saes["model"].nunique(), 0),
        ("median L0", 50, saes["l0"].median(), 0),
        ("share with an L0 below 100, in %", 95.7, 100 * (saes["l0"] < 100).mean(), 1),
        ("gemma-2-2b: SAEs", 80, len(gemma), 0),
        ("gemma-2-2b: mean L0", 68.12, gemma.mean(), 2),
        ("gemma-2-2b: median L0", 40, gemma.median(), 0),
    ]
    return [
        measured(what, plain(paper), pd.Series([ours] if every else [], dtype=float), digits,
                 near(paper, 0.5 * 10.0**-digits)._replace(words="equal"))
        for what, paper, ours, digits in rows
    ]  # fmt: skip
