"""The tables of a sweep whose right L0 is known: by every metric SAEs are worse further from it."""

import math

import pandas as pd

from sbw.metrics.geometry import null_pairwise_cosine

KS = (2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0)
RIGHT, H = 8.0, 12


def mixed(k: float) -> float:
    """Distance of an SAE trained at k from the right one, in c_dec over its null."""
    return abs(math.log(k / RIGHT))


def saes(seeds: tuple[int, ...] = (0, 1), mse: float = 16.0) -> pd.DataFrame:
    table = pd.DataFrame([(k, seed, 0.99 * k) for k in KS for seed in seeds], columns=["k", "seed", "l0"])
    c_dec = null_pairwise_cosine(100) * table["k"].map(mixed)
    return table.assign(d_in=100, c_dec=c_dec, mse=mse, variance_explained_about_zero=0.84)


def projections() -> pd.DataFrame:
    """s_n = ±(how mixed) towards both ends: the width is twice as much, whatever all projections share."""
    rows = [(k, seed, n, 0.3 + mixed(k) * (1 if n < H / 2 else -1), 0.01)
            for k in KS for seed in (0, 1) for n in range(1, H)]  # fmt: skip
    return pd.DataFrame(rows, columns=["k", "seed", "n", "s_n", "s_n_error"])


def pairs() -> pd.DataFrame:
    return pd.DataFrame({"k": KS, "seed_a": 0, "seed_b": 1, "agreement": [1 - mixed(k) / 2 for k in KS]})


def coded(seeds: tuple[int, ...] = (0, 1)) -> pd.DataFrame:
    """The same SAEs with their codes measured: coherent below the right L0, with weak codes above it."""
    table = saes(seeds)
    off = table["k"].map(lambda k: math.log(k / RIGHT))
    above = off.clip(lower=0)
    unexplained = 0.02 + 0.5 * (1 - table["k"] / RIGHT).clip(lower=0)
    return table.assign(
        c_dec=table["c_dec"] + 0.001,
        d_sae=H,
        dead_latents=0,
        coherence=-0.3 * off,
        coherence_pursuit=-0.2 * off,
        coherence_null=0.02,
        coherent_latents=0.5 - 0.3 * off,
        co_firing=-0.4 * off,
        co_firing_pursuit=-0.3 * off,
        weakest=0.7 - 0.6 * above,
        code_spread=0.2 + 0.5 * above,
        pursuit_error=1.0,
        mse=100 * unexplained,
        variance_explained_about_zero=1 - unexplained,
        mcc=1 - off.abs() / 5,
    )
