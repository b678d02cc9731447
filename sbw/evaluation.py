"""What is measured of a trained SAE, as tidy tables: a row an SAE, or an SAE and n, or an SAE, latent and feature."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import torch
from sae_lens import SAE
from torch import Tensor
from tqdm import tqdm

from sbw.metrics.geometry import cosine_similarities, match_features, null_pairwise_cosine, pairwise_cosine
from sbw.metrics.projection import decoder_projections
from sbw.metrics.reconstruction import reconstruction
from sbw.metrics.recovery import recovery
from sbw.tables import column
from sbw.toy import Sample, Toy
from sbw.workers import in_parallel, processors, stop_if_orphaned

_KEYS = [
    column("stage", pa.string(), "stage that trained the SAE"),
    column("toy", pa.string(), "toy that it was trained on"),
    column("architecture", pa.string(), "architecture that it was trained as"),
    column("variant", pa.string(), "trained, or truth: the true features made to keep k latents a sample"),
    column("k", pa.float64(), "L0 that it was trained for"),
    column("seed", pa.int64(), "seed of its initial weights; null for the truth"),
]
SAES = pa.schema(
    [
        *_KEYS,
        column("d_in", pa.int64(), "width of the activations"),
        column("d_sae", pa.int64(), "number of latents"),
        column("true_l0", pa.float64(), "active features a sample, on average"),
        column("l0", pa.float64(), "active latents a sample, on average"),
        column("c_dec", pa.float64(), "mean absolute cosine similarity of two decoder rows"),
        column("c_enc", pa.float64(), "mean absolute cosine similarity of two encoder columns"),
        column("c_dec_over_null", pa.float64(), "c_dec over that of random directions, sqrt(2 / (pi d_in))"),
        column("mse", pa.float64(), "squared error summed over the width, mean over samples"),
        column("variance_explained_about_zero", pa.float64(), "1 - mse / E|x|^2"),
        column("variance_explained_about_mean", pa.float64(), "1 - mse / E|x - E x|^2"),
        column("mcc", pa.float64(), "mean absolute cosine of matched latents and features"),
        column("uniqueness", pa.float64(), "distinct features that are some latent's best match, a latent"),
        column("dead_latents", pa.int64(), "latents that never fire on the sample"),
        column("shrinkage", pa.float64(), "mean norm of the reconstruction over that of the input"),
        column("precision", pa.float64(), "of latents as detectors of their best feature, mean over latents"),
        column("recall", pa.float64(), "of latents as detectors of their best feature, mean over latents"),
        column("f1", pa.float64(), "of latents as detectors of their best feature, mean over latents"),
    ]
)
PROJECTIONS = pa.schema(
    [*_KEYS, column("n", pa.int64(), "latents a sample"), column("s_n", pa.float64(), "nth decoder projection")]
)
COSINES = pa.schema(
    [
        *_KEYS,
        column("latent", pa.int64(), "index of the latent"),
        column("matched_feature", pa.int64(), "feature that the latent is matched to one to one; null if none is left"),
        column("feature", pa.int64(), "index of the true feature"),
        column("encoder_cosine", pa.float64(), "cosine of the latent's encoder column with the feature vector"),
        column("decoder_cosine", pa.float64(), "cosine of the latent's decoder row with the feature vector"),
    ]
)


class Tables(NamedTuple):
    """What was measured of some SAEs."""

    saes: pd.DataFrame
    """A row an SAE, with the columns of `SAES`."""
    projections: pd.DataFrame
    """A row an SAE and n, with the columns of `PROJECTIONS`."""
    cosines: pd.DataFrame
    """A row a trained SAE, latent and feature, with the columns of `COSINES`."""


@dataclass(frozen=True)
class Subject:
    """An SAE to measure, and the keys that its rows bear."""

    sae: SAE[Any]
    stage: str
    toy: str
    seed: int | None = None
    """Seed of the initial weights; None for the true SAE, which has none."""

    @property
    def keys(self) -> dict[str, Any]:
        """The columns that every row of the SAE begins with."""
        training = self.sae.cfg.metadata
        return {
            "stage": self.stage,
            "toy": self.toy,
            "architecture": training.training_architecture,
            "variant": "trained" if self.seed is not None else "truth",
            "k": float(training.training_architecture_details["k"]),
            "seed": self.seed,
        }


def evaluate(subjects: Sequence[Subject], toy: Toy, sample: Sample) -> Tables:
    """Measure SAEs on a sample, several at once."""
    shares = min(len(subjects), processors())
    tasks = [partial(_measure, subjects[share::shares], toy, sample) for share in range(shares)]
    measured: list[Any] = [None] * len(subjects)
    for share, rows in enumerate(in_parallel(tasks)):
        measured[share::shares] = rows
    saes, projections, cosines = zip(*measured, strict=True)
    tables = Tables(pd.DataFrame(saes), pd.concat(projections), pd.concat([rows for rows in cosines if len(rows)]))
    return Tables(*(table.astype({"seed": "Int64"}).reset_index(drop=True) for table in tables))


def headline(tables: Tables, n: int) -> dict[str, float]:
    """The ten numbers of the one SAE in the tables that `dvc exp show` shows, s_n at one `n` among them."""
    names = ["k", "true_l0", "l0", "mse", "variance_explained_about_zero", "mcc", "dead_latents", "c_dec"]
    row = tables.saes.iloc[0]
    s_n = tables.projections.loc[tables.projections["n"] == n, "s_n"].item()
    return {name: row[name].item() for name in [*names, "c_dec_over_null"]} | {"s_n": s_n}


def sweep_headline(tables: Tables, n: int) -> dict[str, float]:
    """Where a sweep's metrics point, by the mean over its seeds.

    The k of the least c_dec and c_enc, the first k whose s_n lies within 0.01 of the least (above it the curve is
    flat), and the share of the seeds at the k nearest the true L0 that recover every feature (MCC above 0.99).
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
def _measure(
    subjects: Sequence[Subject], toy: Toy, sample: Sample
) -> list[tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]]:
    measured = []
    for subject in tqdm(subjects, desc="evaluate", unit="SAE", disable=None):
        stop_if_orphaned()
        cosines = cosine_rows(subject, toy) if subject.seed is not None else pd.DataFrame()
        measured.append((sae_row(subject, toy, sample), projection_rows(subject, sample), cosines))
    return measured


@torch.no_grad()
def sae_row(subject: Subject, toy: Toy, sample: Sample) -> dict[str, Any]:
    """One SAE's row of `SAES`, measured on the sample."""
    sae = subject.sae
    found = recovery(sae, toy.features, sample.feature_acts)
    c_dec = pairwise_cosine(sae.W_dec)
    return {
        **subject.keys,
        "d_in": sae.cfg.d_in,
        "d_sae": sae.cfg.d_sae,
        "true_l0": found.true_l0,
        "l0": found.sae_l0,
        "c_dec": c_dec,
        "c_enc": pairwise_cosine(sae.W_enc.T),
        "c_dec_over_null": c_dec / null_pairwise_cosine(sae.cfg.d_in),
        **reconstruction(sample.activations, sae(sample.activations))._asdict(),
        "mcc": found.mcc,
        "uniqueness": found.uniqueness,
        "dead_latents": found.dead_latents,
        "shrinkage": found.shrinkage,
        "precision": found.classification.precision,
        "recall": found.classification.recall,
        "f1": found.classification.f1_score,
    }


@torch.no_grad()
def projection_rows(subject: Subject, sample: Sample) -> pd.DataFrame:
    """One SAE's rows of `PROJECTIONS`: s_n^dec for n = 1 … d_sae − 1."""
    projections = decoder_projections(sample.activations, subject.sae.W_dec, subject.sae.b_dec)
    return pd.DataFrame({**subject.keys, "n": range(1, len(projections) + 1), "s_n": projections.double()})


@torch.no_grad()
def cosine_rows(subject: Subject, toy: Toy) -> pd.DataFrame:
    """One SAE's rows of `COSINES`: each latent with each feature."""
    truth: Tensor = toy.features.feature_vectors
    encoder = cosine_similarities(subject.sae.W_enc.T, truth)
    decoder = cosine_similarities(subject.sae.W_dec, truth)
    matched = match_features(decoder)
    latent, feature = torch.cartesian_prod(torch.arange(len(decoder)), torch.arange(len(truth))).T
    rows = {
        **subject.keys,
        "latent": latent,
        "matched_feature": pd.Series(matched[latent], dtype="Int64").where((matched[latent] >= 0).numpy()),
        "feature": feature,
        "encoder_cosine": encoder.double().flatten(),
        "decoder_cosine": decoder.double().flatten(),
    }
    return pd.DataFrame(rows)
