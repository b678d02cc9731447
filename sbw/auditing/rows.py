"""The row of an SAE in an audit: by its decoder, and by activations where there are some."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Float
from torch import Tensor

from sbw.auditing.subjects import Subject
from sbw.files import column
from sbw.metrics.codes import CODE_COLUMNS
from sbw.metrics.geometry import null_pairwise_cosine, pairwise_cosine
from sbw.pretrained.encoders import encoder_of
from sbw.pretrained.formats import Decoder, Files
from sbw.pretrained.measured import Measured, measure_sae
from sbw.pretrained.names import plain
from sbw.run.errors import UserError
from sbw.verdict.pieces import pieces_of
from sbw.verdict.weighing import diagnosed

_MEASURED = [
    column("rows", pa.int64(), "activations that it was measured on"),
    column("mse", pa.float64(), "squared error summed over the width, mean over activations"),
    column("variance_explained_about_zero", pa.float64(), "1 - mse / E|x|^2"),
    *CODE_COLUMNS,
    column("dead_latents", pa.int64(), "latents that never fire on them"),
    column("dense_latents", pa.int64(), "latents that fire on more than a tenth of them"),
    column("alone", pa.string(), "what it shows by itself: too low, about right, too high, or inconclusive"),
    column("alone_low", pa.float64(), "lower end of the interval of L0 / right L0, by itself"),
    column("alone_high", pa.float64(), "upper end of it"),
]
AUDIT = pa.schema(
    [
        column("sae", pa.string(), "its folder below the audited one, or release/sae_id"),
        column("family", pa.string(), "architecture, shape, model and hook: equal for SAEs that can be compared"),
        column("d_in", pa.int64(), "width of the activations"),
        column("d_sae", pa.int64(), "number of latents"),
        column("zero_rows", pa.int64(), "decoder rows of zeros, which c_dec does not count"),
        column("setting", pa.float64(), "k, or the L0: equal for SAEs that differ in their seed alone; else null"),
        column("stated_l0", pa.float64(), "L0 of its metadata, else its k or name; null if unknown"),
        column("l0", pa.float64(), "active latents per sample: measured, else stated; null if unknown"),
        column("c_dec", pa.float64(), "mean absolute cosine similarity of two decoder rows"),
        column("c_dec_over_null", pa.float64(), "c_dec over that of random directions, sqrt(2 / (pi d_in))"),
        *_MEASURED,
    ]
)
"""What is measured on activations is null without them."""
LEAST_ROWS = 1000
"""Activations below which nothing is said of an SAE."""
_GRID = 256
"""Values of n at which decoder projections are kept, at most, beside those that a piece of evidence takes."""


class Row(NamedTuple):
    """An SAE in an audit."""

    columns: dict[str, Any]
    """By the names of `AUDIT`; those that are not measured are missing."""
    projections: pd.DataFrame | None
    """`n`, `s_n` and `s_n_error`, 0, where it is measured."""


def row_of(one: Subject, decoder: Decoder) -> Row:
    """The row of an SAE by its decoder alone.

    Raises:
        UserError: it has fewer than two latents that are not zero.
    """
    h, d_in = decoder.W_dec.shape
    rows = decoder.W_dec[decoder.W_dec.any(dim=1)]
    if len(rows) < 2:
        raise UserError(f"c_dec needs two decoder rows that are not zero, got {len(rows)}")
    setting = decoder.setting or one.l0
    architecture, *context = decoder.family
    c_dec = pairwise_cosine(rows)
    columns = {
        "sae": one.name,
        "family": ", ".join(plain(part) for part in (architecture, f"{d_in} -> {h} latents", *context)),
        "d_in": d_in,
        "d_sae": h,
        "zero_rows": h - len(rows),
        "setting": setting or decoder.l0,
        "stated_l0": decoder.l0 or setting,
        "l0": decoder.l0 or setting,
        "c_dec": c_dec,
        "c_dec_over_null": c_dec / null_pairwise_cosine(d_in),
    }
    return Row(columns, None)


def measured_row(row: Row, files: Files, batches: Iterable[Float[Tensor, "b d"]]) -> Row:
    """The same row with what some activations show.

    Raises:
        UserError: how the SAE encodes is not understood, or the activations are not those that it was trained on.
    """
    if row.columns["d_sae"] < 3:
        raise UserError(f"it has {row.columns['d_sae']} latents: what is measured on activations needs three")
    measured = measure_sae(encoder_of(files), batches)
    _require_sense(measured)
    projections = _thinned(measured)
    columns = {**row.columns, **measured.columns}
    columns["setting"] = columns["setting"] or columns["l0"]
    alone = {"k": columns["setting"], "seed": 0}
    pieces = pieces_of(pd.DataFrame([columns | alone]), projections.assign(**alone))
    (found,) = diagnosed(pieces)
    return Row(columns | {"alone": found.side, "alone_low": found.low, "alone_high": found.high}, projections)


def _require_sense(measured: Measured) -> None:
    if (rows := measured.columns["rows"]) < LEAST_ROWS:
        raise UserError(f"it can be measured on {LEAST_ROWS:,} activations or more, got {rows}")
    explained = measured.columns["variance_explained_about_zero"]
    if not measured.columns["l0"]:
        raise UserError("no latent is active on these activations")
    if not np.isfinite(measured.columns["coherence"]):
        raise UserError("the activations are too large for its arithmetic, in float32")
    if explained <= 0:
        raise UserError(
            f"its error on these activations is {1 - explained:.3g} times their square: are they of the model, hook "
            "and scale that it was trained on?"
        )


def _thinned(measured: Measured) -> pd.DataFrame:
    """s_n at some n, and at h − n for each: pieces of evidence take the n nearest to the SAE's L0."""
    h = int(measured.columns["d_sae"])
    upper = (h - 1) // 2
    own = np.clip(round(measured.columns["l0"]), 1, upper)
    ns = np.unique(np.append(np.geomspace(1, upper, min(_GRID, upper)).round().astype(int), own))
    ns = np.concatenate([ns, np.sort(h - ns)])
    return pd.DataFrame({"n": ns, "s_n": measured.s_n[ns - 1].double().numpy(), "s_n_error": 0.0})
