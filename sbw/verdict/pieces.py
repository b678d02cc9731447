"""Pieces of evidence on whether the L0 of each SAE of a sweep is too low or too high."""

import numpy as np
import pandas as pd

from sbw.metrics.geometry import null_pairwise_cosine
from sbw.verdict.evidence import sigma_of
from sbw.verdict.rule import Floats, knee

ALONE = {
    "coherence": "coherence",
    "coherence_pursuit": "coherence by matching pursuit",
    "coherence_over_null": "that over its spread by chance",
    "coherent_latents": "the share of coherent latents",
    "co_firing": "co-firing",
    "co_firing_pursuit": "co-firing by matching pursuit",
    "weakest": "the weakest activations",
    "code_spread": "the spread of activations",
    "unexplained": "the unexplained variance",
    "pursuit_error": "the error of matching pursuit",
    "width": "the width of decoder projections",
    "c_dec": "c_dec",
    "dead": "dead latents",
}
"""Pieces that an SAE has alone: what each is, in words."""
SWEPT = {
    "error_falls_below": "the slope of the error below",
    "error_falls_above": "the slope of the error above",
    "coherence_falls_below": "the slope of coherence below",
    "coherence_falls_above": "the slope of coherence above",
    "gain": "the gain per latent",
    "beyond_knee": "the knee of the variance explained",
    "c_dec_above_least": "c_dec's distance from its minimum",
}
"""Pieces that take the other SAEs of a sweep."""


def pieces_of(saes: pd.DataFrame, projections: pd.DataFrame) -> pd.DataFrame:
    """The pieces of evidence of each SAE: those of ALONE and SWEPT, by their names, with `d_sae`, `l0` and `log_l0`.

    One row per k, by ascending L0: means over its seeds. NaN where a piece cannot be had: at the ends of the sweep,
    between SAEs of one L0, or where no latent is active.

    Args:
        saes: a sweep's rows of `sbw.metrics.tables.SAES`.
        projections: those of `PROJECTIONS`, of the same SAEs.
    """
    rows = saes.assign(width=_widths(saes, projections)).groupby("k").mean(numeric_only=True).sort_values("l0")
    log_l0, unexplained = np.log(rows["l0"].to_numpy()), 1 - rows["variance_explained_about_zero"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):  # of SAEs of one L0, or without any error
        errors_fall = _finite(np.diff(np.log(unexplained)) / np.diff(log_l0))
        coherence_falls = _finite(np.diff(rows["coherence_pursuit"]) / np.diff(log_l0))
        gain = _finite(np.gradient(unexplained, rows["l0"])) if len(rows) > 1 else np.nan
    c_dec = rows["c_dec"] / rows["d_in"].map(null_pairwise_cosine)
    at_knee = np.log(knee(rows["l0"].to_numpy(), rows["variance_explained_about_zero"].to_numpy()))
    own = [name for name in ALONE if name in rows.columns and name != "c_dec"]
    return rows[["d_sae", "l0", *own]].assign(
        log_l0=log_l0,
        coherence_over_null=rows["coherence_pursuit"] / rows["coherence_null"],
        pursuit_error=np.log(rows["pursuit_error"]),
        unexplained=unexplained,
        c_dec=c_dec,
        dead=rows["dead_latents"] / rows["d_sae"],
        error_falls_below=np.append(np.nan, errors_fall),
        error_falls_above=np.append(errors_fall, np.nan),
        coherence_falls_below=np.append(np.nan, coherence_falls),
        coherence_falls_above=np.append(coherence_falls, np.nan),
        gain=-gain * rows["l0"],
        beyond_knee=log_l0 - at_knee,
        c_dec_above_least=c_dec / c_dec.min() - 1,
    )


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)


def _widths(saes: pd.DataFrame, projections: pd.DataFrame) -> pd.Series:
    """(s_n − s_{h−n}) / σ of each SAE at the n that is nearest its own L0, 1 ≤ n < h / 2."""
    sigma, table = sigma_of(saes), projections.set_index(["k", "seed", "n"])["s_n"]
    of_each = zip(saes["k"], saes["seed"], saes["l0"], saes["d_sae"], strict=True)
    ns = [(k, seed, int(np.clip(round(l0), 1, (h - 1) // 2)), h) for k, seed, l0, h in of_each]
    widths = [(table[k, seed, n] - table[k, seed, h - n]) / sigma for k, seed, n, h in ns]
    return pd.Series(widths, index=saes.index)
