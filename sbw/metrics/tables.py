"""Measurements of SAEs as tidy tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from jaxtyping import Float
from sae_lens import SAE
from torch import Tensor

from sbw.files import column, save_table
from sbw.metrics.codes import CODE_COLUMNS, code_metrics
from sbw.metrics.geometry import cosine_similarities, match_features, null_pairwise_cosine, pairwise_cosine
from sbw.metrics.projection import decoder_projections, nth_projections, sampling_error
from sbw.metrics.reconstruction import reconstruction_errors
from sbw.metrics.recovery import recovery
from sbw.metrics.stability import agreements
from sbw.run.processes import map_processes
from sbw.toy.model import Sample, Toy

_KEYS = [
    column("stage", pa.string(), "stage that trained the SAE"),
    column("toy", pa.string(), "toy that it was trained on"),
    column("architecture", pa.string(), "architecture that it was trained as"),
    column("variant", pa.string(), "trained, or truth: the true features made to keep k latents per sample"),
    column("k", pa.float64(), "L0 that it was trained for, at the end; null where a coefficient decides"),
    column("initial_k", pa.float64(), "L0 at the start of the training, where it moved; else null"),
    column("l0_coefficient", pa.float64(), "coefficient of the sparsity loss, for JumpReLU; else null"),
    column("samples", pa.int64(), "activations that it was trained on, where the experiment varies them; else null"),
    column("seed", pa.int64(), "of its initial weights, or of its activations if they are the truth; null: untrained"),
]
_NULLABLE = {"k": "Float64", "initial_k": "Float64", "l0_coefficient": "Float64", "samples": "Int64", "seed": "Int64"}
SAES = pa.schema(
    [
        *_KEYS,
        column("d_in", pa.int64(), "width of the activations"),
        column("d_sae", pa.int64(), "number of latents"),
        column("true_l0", pa.float64(), "active features per sample, on average"),
        column("l0", pa.float64(), "active latents per sample, on average"),
        column("c_dec", pa.float64(), "mean absolute cosine similarity of two decoder rows"),
        column("c_enc", pa.float64(), "mean absolute cosine similarity of two encoder columns"),
        column("c_dec_over_null", pa.float64(), "c_dec over that of random directions, sqrt(2 / (pi d_in))"),
        *CODE_COLUMNS,
        column("mse", pa.float64(), "squared error summed over the width, mean over samples"),
        column("variance_explained_about_zero", pa.float64(), "1 - mse / E|x|^2"),
        column("variance_explained_about_mean", pa.float64(), "1 - mse / E|x - E x|^2"),
        column("mcc", pa.float64(), "mean absolute cosine of matched latents and features"),
        column("uniqueness", pa.float64(), "distinct features that are some latent's best match, per latent"),
        column("dead_latents", pa.int64(), "latents that never fire on the sample"),
        column("shrinkage", pa.float64(), "mean norm of the reconstruction over that of the input"),
        column("precision", pa.float64(), "of latents as detectors of their best feature, mean over latents"),
        column("recall", pa.float64(), "of latents as detectors of their best feature, mean over latents"),
        column("f1", pa.float64(), "of latents as detectors of their best feature, mean over latents"),
    ]
)
KNOWN_SAES = SAES.append(
    column("learnable_l0", pa.float64(), "active features per sample of the commonest ones, as many as latents")
)
PROJECTIONS = pa.schema(
    [
        *_KEYS,
        column("n", pa.int64(), "latents per sample that s_n keeps"),
        column("s_n", pa.float64(), "nth decoder projection, in the units of the activations"),
        column("s_n_error", pa.float64(), "its standard error over the evaluation sample"),
    ]
)
HISTOGRAMS = pa.schema(
    [
        *_KEYS,
        column("from", pa.float64(), "lower edge of the bin of decoder projections, in the units of the activations"),
        column("to", pa.float64(), "upper edge of the bin"),
        column("density", pa.float64(), "share of the projections in the bin, over its width"),
    ]
)
COSINES = pa.schema(
    [
        *_KEYS,
        column("latent", pa.int64(), "index of the latent"),
        column("matched_feature", pa.int64(), "feature matched to the latent, one to one; null if none is left"),
        column("feature", pa.int64(), "index of the true feature"),
        column("encoder_cosine", pa.float64(), "cosine of the latent's encoder column with the feature vector"),
        column("decoder_cosine", pa.float64(), "cosine of the latent's decoder row with the feature vector"),
    ]
)
STABILITY = pa.schema(
    [
        *(field for field in _KEYS if field.name not in ("variant", "seed")),
        column("seed_a", pa.int64(), "seed of an SAE"),
        column("seed_b", pa.int64(), "seed of another SAE, equal in all else"),
        column("agreement", pa.float64(), "mean absolute cosine of their decoder rows, matched one to one"),
    ]
)


class Tables(NamedTuple):
    """Measurements of some SAEs."""

    saes: pd.DataFrame
    """One row per SAE, with the columns of `SAES`."""
    projections: pd.DataFrame
    """One row per SAE and n, with the columns of `PROJECTIONS`."""
    histograms: pd.DataFrame
    """One row per trained SAE and bin, with the columns of `HISTOGRAMS`."""
    cosines: pd.DataFrame
    """One row per trained SAE, latent and feature, with the columns of `COSINES`."""
    stability: pd.DataFrame
    """One row per pair of trained SAEs that differ in their seed alone, with the columns of `STABILITY`."""


@dataclass(frozen=True)
class Subject:
    """An SAE to measure, and the keys of its rows."""

    sae: SAE[Any]
    stage: str
    toy: str
    keys: dict[str, float]
    """k, seed and those of `initial_k`, `l0_coefficient` and `samples` that the experiment varies."""

    @property
    def trained(self) -> bool:
        """Whether it was trained: the true SAE has no seed."""
        return "seed" in self.keys

    @property
    def columns(self) -> dict[str, Any]:
        """The first columns of every row of the SAE."""
        return {
            "stage": self.stage,
            "toy": self.toy,
            "architecture": self.sae.cfg.metadata.training_architecture,
            "variant": "trained" if self.trained else "truth",
            **{name: self.keys.get(name) for name in _NULLABLE},
        }


def evaluate(subjects: Sequence[Subject], toy: Toy, sample: Sample, bins: int | None) -> Tables:
    """Measure SAEs on a sample, in parallel.

    `bins` is the number of bins per histogram. If None, histograms and cosines, whose rows grow with the square of the
    number of features and which no recommendation needs, have no columns.
    """
    measure = partial(_measure, toy=toy, sample=sample, bins=bins)
    measured = map_processes(measure, subjects, label="evaluate", unit="SAE")
    saes, *parts = zip(*measured, strict=True)
    frames = [_frame(saes), *(pd.concat([rows for rows in part if len(rows)] or [pd.DataFrame()]) for part in parts)]
    return Tables._make([*(frame.reset_index(drop=True) for frame in frames), _stability(subjects)])


def headline(tables: Tables, n: int) -> dict[str, float]:
    """Ten numbers of the one SAE in the tables, with s_n at `n`, for `dvc exp show`."""
    names = ["k", "true_l0", "l0", "mse", "variance_explained_about_zero", "mcc", "dead_latents", "c_dec"]
    row = tables.saes.iloc[0]
    s_n = tables.projections.loc[tables.projections["n"] == n, "s_n"].item()
    return {name: row[name].item() for name in [*names, "c_dec_over_null"]} | {"s_n": s_n}


def sweep_headline(tables: Tables, n: int) -> dict[str, float]:
    """Where a sweep's metrics point, by their means over seeds.

    The k of the least c_dec and c_enc, the first k whose s_n is within 0.01 of the least (above it the curve is flat),
    and the share of seeds that recover every feature (MCC above 0.99) at the k nearest the true L0.
    """
    trained = tables.saes[tables.saes["variant"] == "trained"]
    means = trained.groupby("k")[["c_dec", "c_enc", "true_l0"]].mean()
    s_n = tables.projections[(tables.projections["variant"] == "trained") & (tables.projections["n"] == n)]
    levels = s_n.groupby("k")["s_n"].mean()
    true_l0 = means["true_l0"].iloc[0]
    nearest = means.index[(means.index.to_series() - true_l0).abs().argmin()]
    return {
        "seeds": trained["seed"].nunique(),
        "true_l0": true_l0,
        "k_of_least_c_dec": means["c_dec"].idxmin(),
        "k_of_least_c_enc": means["c_enc"].idxmin(),
        "k_where_s_n_levels": levels.index[levels <= levels.min() + 0.01][0],
        "recovered_at_true_l0": (trained.loc[trained["k"] == nearest, "mcc"] > 0.99).mean(),
    }


@torch.no_grad()
def _measure(subject: Subject, toy: Toy, sample: Sample, bins: int | None) -> tuple[Any, ...]:
    projections = decoder_projections(sample.activations, subject.sae.W_dec, subject.sae.b_dec)
    rest = [pd.DataFrame(), pd.DataFrame()]
    if bins is not None and subject.trained:
        rest = [_histogram(subject, projections, bins), _cosines(subject, toy)]
    return _sae_row(subject, toy, sample), _projections(subject, projections), *rest


def _sae_row(subject: Subject, toy: Toy, sample: Sample) -> dict[str, Any]:
    sae = subject.sae
    found = recovery(sae, toy.features, sample)
    c_dec, codes = pairwise_cosine(sae.W_dec), sae.encode(sample.activations)
    return {
        **subject.columns,
        "d_in": sae.cfg.d_in,
        "d_sae": sae.cfg.d_sae,
        "true_l0": found.true_l0,
        "l0": found.sae_l0,
        "c_dec": c_dec,
        "c_enc": pairwise_cosine(sae.W_enc.T),
        "c_dec_over_null": c_dec / null_pairwise_cosine(sae.cfg.d_in),
        **code_metrics(codes, sample.activations, sae.W_dec, sae.b_dec),
        **reconstruction_errors(sample.activations, sae.decode(codes))._asdict(),
        **{name: getattr(found, name) for name in ("mcc", "uniqueness", "dead_latents", "shrinkage")},
        "precision": found.classification.precision,
        "recall": found.classification.recall,
        "f1": found.classification.f1_score,
    }


def _projections(subject: Subject, projections: Float[Tensor, "b h"]) -> pd.DataFrame:
    s_n, error = nth_projections(projections), sampling_error(projections)
    n = range(1, len(s_n) + 1)
    return _frame({**subject.columns, "n": n, "s_n": s_n.double(), "s_n_error": error.double()})


def _histogram(subject: Subject, projections: Float[Tensor, "b h"], bins: int) -> pd.DataFrame:
    density, edges = np.histogram(projections.numpy(), bins=bins, density=True)
    return _frame({**subject.columns, "from": edges[:-1], "to": edges[1:], "density": density})


def _cosines(subject: Subject, toy: Toy) -> pd.DataFrame:
    truth: Tensor = toy.features.feature_vectors
    encoder = cosine_similarities(subject.sae.W_enc.T, truth)
    decoder = cosine_similarities(subject.sae.W_dec, truth)
    matched = match_features(decoder)
    latent, feature = torch.cartesian_prod(torch.arange(len(decoder)), torch.arange(len(truth))).T
    rows = {
        **subject.columns,
        "latent": latent,
        "matched_feature": pd.Series(matched[latent], dtype="Int64").where((matched[latent] >= 0).numpy()),
        "feature": feature,
        "encoder_cosine": encoder.double().flatten(),
        "decoder_cosine": decoder.double().flatten(),
    }
    return _frame(rows)


def _stability(subjects: Sequence[Subject]) -> pd.DataFrame:
    trained = [subject for subject in subjects if subject.trained]
    rows = [
        {**keys, "seed_a": a, "seed_b": b, "agreement": agreement}
        for keys, alike in groupby(trained, lambda subject: subject.columns | {"seed": None})
        for a, b, agreement in agreements({subject.keys["seed"]: subject.sae.W_dec for subject in alike})
    ]
    kinds = {name: kind for name, kind in _NULLABLE.items() if name != "seed"}
    return pd.DataFrame(rows, columns=STABILITY.names).astype(kinds)


def save_tables(tables: Tables, folder: Path) -> None:
    """Write each table that has columns to `folder`, as NAME.parquet."""
    schemas = (SAES, PROJECTIONS, HISTOGRAMS, COSINES, STABILITY)
    for (name, table), schema in zip(tables._asdict().items(), schemas, strict=True):
        if len(table.columns):
            save_table(table, schema, folder / f"{name}.parquet")


def _frame(rows: Any) -> pd.DataFrame:
    return pd.DataFrame(rows).astype(_NULLABLE)
