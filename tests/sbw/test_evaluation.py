"""The tables of a trained SAE hold what the metrics say, under the schema's names."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from sae_lens import BatchTopKTrainingSAE
from sae_lens.synthetic import init_sae_to_match_feature_dict

from sbw.evaluation import (
    COSINES,
    PROJECTIONS,
    SAES,
    TrainedSAE,
    cosine_rows,
    headline,
    load_sae,
    projection_rows,
    sae_row,
)
from sbw.params import load_params
from sbw.rng import seeded
from sbw.tables import load_table, save_table
from sbw.toy import Sample, Toy, build_toy
from sbw.trainer import initial_sae, save_sae
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def toy() -> Toy:
    return build_toy(load_params(ROOT / "params.yaml").toys["main"])


@pytest.fixture(scope="module")
def sample(toy: Toy) -> Sample:
    acts = toy.sample(2_000, seeded(0))
    return Sample(acts, toy.embed(acts))


def trained(sae: BatchTopKTrainingSAE, folder: Path) -> TrainedSAE:
    save_sae(sae, folder)
    return TrainedSAE(load_sae(folder), "train", "main", 3)


@pytest.fixture
def truth(toy: Toy, tmp_path: Path) -> TrainedSAE:
    sae = initial_sae(11, 100, 50, 0)
    init_sae_to_match_feature_dict(sae, toy.features, feature_ordering=torch.arange(49, -1, -1))
    sae.topk_threshold.fill_(0.1)
    return trained(sae, tmp_path / "truth")


def test_truth_scores_as_the_truth(truth: TrainedSAE, toy: Toy, sample: Sample) -> None:
    row = sae_row(truth, toy, sample)
    assert list(row) == SAES.names
    assert (row["stage"], row["toy"], row["architecture"], row["k"], row["seed"]) == (
        "train",
        "main",
        "batchtopk",
        11,
        3,
    )
    assert row["mcc"] == pytest.approx(1, abs=1e-4)
    assert row["c_dec"] == pytest.approx(0, abs=1e-4)
    assert row["c_enc"] == pytest.approx(0, abs=1e-4)
    assert row["l0"] == pytest.approx(row["true_l0"], abs=0.01)
    assert row["variance_explained_about_zero"] == pytest.approx(1, abs=1e-4)
    assert row["dead_latents"] == 0


def test_untrained_sae_scores_as_random_directions(toy: Toy, sample: Sample, tmp_path: Path) -> None:
    row = sae_row(trained(initial_sae(11, 100, 50, 0), tmp_path / "untrained"), toy, sample)
    assert row["c_dec_over_null"] == pytest.approx(1, abs=0.1)
    assert row["mcc"] < 0.4


def test_projections_have_a_row_an_n(truth: TrainedSAE, sample: Sample) -> None:
    rows = projection_rows(truth, sample)
    assert list(rows) == PROJECTIONS.names
    assert rows["n"].tolist() == list(range(1, 50))
    assert rows["s_n"].is_monotonic_decreasing


def test_cosines_are_matched_one_to_one(truth: TrainedSAE, toy: Toy) -> None:
    rows = cosine_rows(truth, toy)
    assert list(rows) == COSINES.names
    assert len(rows) == 50 * 50
    assert (rows["matched_feature"] == 49 - rows["latent"]).all()
    on = rows["feature"] == rows["matched_feature"]
    assert rows.loc[on, "decoder_cosine"].min() > 0.999
    assert rows.loc[~on, "decoder_cosine"].abs().max() < 1e-3


def test_a_latent_that_no_feature_is_left_for_has_none(toy: Toy, tmp_path: Path) -> None:
    rows = cosine_rows(trained(initial_sae(11, 100, 60, 0), tmp_path / "wide"), toy)
    save_table(rows, COSINES, tmp_path / "cosines.parquet")
    matched = load_table(tmp_path / "cosines.parquet").groupby("latent")["matched_feature"].first()
    assert matched.isna().sum() == 10
    assert sorted(matched.dropna()) == list(range(50))


def test_headline_is_the_rows_with_s_n_at_one_n(truth: TrainedSAE, toy: Toy, sample: Sample) -> None:
    row, projections = sae_row(truth, toy, sample), projection_rows(truth, sample)
    summary = headline(row, projections, n=12)
    assert summary["s_n"] == projections["s_n"][11]
    assert {name: row[name] for name in summary if name != "s_n"} == {k: v for k, v in summary.items() if k != "s_n"}
    pd.testing.assert_frame_equal(projections, projection_rows(truth, sample))


def test_unreadable_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"cfg\.json"):
        load_sae(tmp_path)
    (tmp_path / "cfg.json").write_text("{")
    with pytest.raises(ValueError, match="is not a readable SAELens folder"):
        load_sae(tmp_path)
