"""Hand-made tables in which every claim of the paper holds."""

from collections.abc import Iterable
from itertools import product
from typing import Any

import pandas as pd

from sbw.params import Params
from sbw.params.training import Grid, JumpReLU, Transition
from sbw.report.results import Results
from sbw.run.loading import load_params
from tests.conftest import ROOT

PARAMS = load_params(ROOT)
TRUE_L0 = 10.95


def _row(k: float | None, seed: int | None, away: float, **keys: Any) -> dict[str, Any]:
    """An SAE that is the worse the further `away` from the true L0 it is."""
    shift = 0.0004 * (seed or 0)
    mse = max(0.01, 0.45 * -away) if seed is not None else max(0.0, 0.8 * -away)
    distance = abs(away) if seed is not None else 0.0
    return {
        "variant": "trained" if seed is not None else "truth",
        "k": k,
        "initial_k": None,
        "l0_coefficient": None,
        "samples": None,
        "seed": seed,
        "d_sae": 50,
        "true_l0": TRUE_L0,
        "l0": k,
        "c_dec": 0.001 + 0.01 * distance + shift,
        "c_enc": 0.002 + 0.005 * distance + shift,
        "coherence": -0.01 * away,
        "c_dec_over_null": (0.001 + 0.01 * distance + shift) / 0.08,
        "mse": mse,
        "variance_explained_about_zero": 1 - mse / 11.3,
        "mcc": 1 - 0.03 * distance - shift,
        "dead_latents": 0,
        **keys,
    }


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    floats = dict.fromkeys(["k", "initial_k", "l0_coefficient", "samples", "seed"], float)
    return pd.DataFrame(rows).astype(floats)


def grid(ks: list[float], seeds: list[int]) -> pd.DataFrame:
    return _frame([_row(k, seed, k - 11) for k in ks for seed in [*seeds, None]])


def _product(**values: Iterable[Any]) -> pd.DataFrame:
    return pd.DataFrame(list(product(*values.values())), columns=list(values))


def projections(ks: list[float], seeds: list[int]) -> pd.DataFrame:
    """s_n falls to its floor at k = 11 and rises again."""
    table = _product(variant=["trained"], k=ks, seed=seeds, n=range(1, 30))
    return table.assign(s_n=0.1 * (table["k"] - 11).abs() + 0.001 * table["seed"])


def cosines(ks: list[float], seeds: list[int]) -> pd.DataFrame:
    """Three latents, each its feature; below k = 11 all of them hold a part of feature 0."""
    table = _product(k=ks, seed=seeds, latent=range(3), feature=range(3))
    own, mixed = table["latent"] == table["feature"], (table["feature"] == 0) & (table["k"] < 11)
    return table.assign(matched_feature=table["latent"], decoder_cosine=(0.2 * mixed).where(~own, 1.0))


def mixing(rhos: list[float], ks: list[float], seeds: list[int]) -> pd.DataFrame:
    """As much as the correlation, times what L0 lacks to 2, plus what differs between seeds and latents."""
    table = _product(rho=rhos, k=ks, seed=seeds, latent=(1, 2))
    of_latent = table["latent"].map({1: 0.001, 2: -0.001})
    return table.assign(mixing=table["rho"] * (2 - table["k"]) + 0.0001 * table["seed"] + of_latent)


def transition(section: Transition) -> pd.DataFrame:
    rows = []
    for ramp in section.ramps:
        for seed in section.seeds:
            mcc = 0.99 if ramp.initial_k > 11 else 0.9
            rows.append(_row(ramp.k, seed, 0, initial_k=ramp.initial_k, samples=ramp.samples, mcc=mcc - 0.001 * seed))
    return _frame([*rows, _row(11, None, 0)])


def jumprelu(section: JumpReLU) -> pd.DataFrame:
    """L0 falls from 15.95 as the coefficient rises, by 1 per coefficient at most; four end near the true one."""
    l0s = [15.95, 14.95, 13.95, 12.95, 11.45, 11.05, 10.95, 10.45, 9.45, 8.45, 7.45, 6.45]
    return _frame(
        [
            _row(None, seed, l0 - TRUE_L0, l0=l0, l0_coefficient=coefficient)
            for coefficient, l0 in zip(section.l0_coefficients, l0s, strict=False)
            for seed in section.seeds
        ]
    )


def pretrained() -> pd.DataFrame:
    """739 SAEs of 16 models, 80 of them of gemma-2-2b, and one that is not selected."""
    gemma = [20.0] * 38 + [40.0] * 4 + [98.0] * 6 + [123.175] * 32
    models = ["gemma-2-2b"] * len(gemma) + [f"model-{i % 15}" for i in range(659)]
    l0 = [*gemma, *[50.0] * 659]
    return pd.DataFrame({"model": [*models, "other"], "l0": [*l0, 7.0], "selected": [True] * len(l0) + [False]})


def recommendation() -> dict[str, Any]:
    verdict = {"verdict": "minimum", "l0": 11.02, "low": 10.1, "high": 11.9, "level": 0.9}
    return {
        **verdict,
        "words": "The right L0 is about 11.",
        "metrics": {"c_dec": {**verdict, "words": "c_dec has its minimum at L0 11."}},
    }


def automatic(starts: list[float]) -> pd.DataFrame:
    rows = [(start, step, l0, 0.02) for start in starts for step, l0 in ((0, start), (100, 10.8))]
    return pd.DataFrame(rows, columns=["start", "step", "l0", "coherence"]).assign(true_l0=TRUE_L0)


def results(params: Params = PARAMS) -> Results:
    """The results of a run with these params in which every claim holds."""
    sweep, made_saes, made_mixing = params.sweep, {}, {}
    for name, section in params.experiments.items():
        if isinstance(section, Grid):
            made_saes[name] = grid(section.ks, section.seeds)
        elif isinstance(section, Transition):
            made_saes[name] = transition(section)
        elif isinstance(section, JumpReLU):
            made_saes[name] = jumprelu(section)
        else:
            made_mixing[name] = mixing(section.rhos, section.ks, section.seeds)
    return Results(
        params,
        {"true_l0": 10.96, "sum_of_firing_probabilities": 10.9525},
        pretrained(),
        projections(sweep.ks, sweep.seeds),
        cosines(sweep.ks, sweep.seeds),
        {"sweep": grid(sweep.ks, sweep.seeds), **made_saes},
        made_mixing,
        recommendation(),
        automatic(params.automatic_l0.starts),
    )
