"""The tables of SAEs hold the metrics, with the columns of the schemas."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from sae_lens.synthetic import init_sae_to_match_feature_dict

from sbw.files import load_table
from sbw.metrics.projection import decoder_projections
from sbw.metrics.tables import SAES, Subject, Tables, evaluate, headline, save_tables, sweep_headline
from sbw.run.loading import load_params
from sbw.saes.disk import load_sae, save_sae
from sbw.saes.untrained import initial_sae, true_sae
from sbw.synthesis.laws import build_toy
from sbw.toy.generators import seeded
from sbw.toy.model import Sample, Toy
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def toy() -> Toy:
    return build_toy(load_params(ROOT).toys["main"])


@pytest.fixture(scope="module")
def sample(toy: Toy) -> Sample:
    return toy.observe(2_000, seeded(0))


@pytest.fixture(scope="module")
def solved(toy: Toy, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """A saved SAE that has found every feature, in reverse order, with a threshold that only features pass."""
    folder = tmp_path_factory.mktemp("solved")
    sae = initial_sae(11, 100, 50, 0)
    init_sae_to_match_feature_dict(sae, toy.features, feature_ordering=torch.arange(49, -1, -1))
    sae.topk_threshold.fill_(0.1)
    save_sae(sae, folder)
    return Subject(load_sae(folder), "sweep", "main", {"k": 11, "seed": 3})


@pytest.fixture(scope="module")
def tables(solved: Subject, toy: Toy, sample: Sample) -> Tables:
    untrained = Subject(initial_sae(5, 100, 60, 0), "sweep", "main", {"k": 5, "seed": 0})
    truth = Subject(true_sae(7, toy.features), "sweep", "main", {"k": 7})
    return evaluate([solved, untrained, truth], toy, sample, bins=40)


def test_columns_are_the_schemas(tables: Tables, tmp_path: Path) -> None:
    save_tables(tables, tmp_path)
    for name, table in tables._asdict().items():
        assert load_table(tmp_path / f"{name}.parquet").columns.tolist() == table.columns.tolist()
    assert tables.saes.columns.tolist() == SAES.names


def test_rows_have_their_keys_in_order(tables: Tables) -> None:
    keys = tables.saes[["stage", "toy", "architecture", "variant", "k"]].to_numpy().tolist()
    assert keys == [
        ["sweep", "main", "batchtopk", "trained", 11],
        ["sweep", "main", "batchtopk", "trained", 5],
        ["sweep", "main", "batchtopk", "truth", 7],
    ]
    assert tables.saes["seed"].tolist() == [3, 0, pd.NA]
    assert tables.saes[["initial_k", "l0_coefficient", "samples"]].isna().all(axis=None)


def test_keys_that_an_experiment_varies_are_columns(solved: Subject, toy: Toy, sample: Sample) -> None:
    keys = {"l0_coefficient": 0.3, "samples": 15_000_000, "seed": 0}
    row = evaluate([Subject(solved.sae, "other", "main", keys)], toy, sample, bins=4).saes.iloc[0]
    assert (row["l0_coefficient"], row["samples"]) == (0.3, 15_000_000)
    assert row["k"] is pd.NA


def test_solved_sae_scores_as_the_truth(tables: Tables) -> None:
    row = tables.saes.iloc[0]
    assert row["mcc"] == pytest.approx(1, abs=1e-4)
    assert row["c_dec"] == pytest.approx(0, abs=1e-4)
    assert row["c_enc"] == pytest.approx(0, abs=1e-4)
    assert row["l0"] == pytest.approx(row["true_l0"], abs=0.01)
    assert row["variance_explained_about_zero"] == pytest.approx(1, abs=1e-4)
    assert row["dead_latents"] == 0


@pytest.mark.parametrize("d_sae", [20, 80])
def test_fewer_and_more_latents_than_features_are_matched_as_far_as_they_go(
    toy: Toy, sample: Sample, d_sae: int
) -> None:
    sae = initial_sae(5, 100, d_sae, 0)
    init_sae_to_match_feature_dict(sae, toy.features)  # what it has latents for; the rest stays untrained
    row = evaluate([Subject(sae, "sweep", "main", {"k": 5, "seed": 0})], toy, sample, bins=None).saes.iloc[0]
    assert (row["d_sae"], row["mcc"]) == (d_sae, pytest.approx(1, abs=1e-4))


def test_without_histograms_there_are_no_tables_that_grow_with_the_square_of_the_features(
    solved: Subject, toy: Toy, sample: Sample, tmp_path: Path
) -> None:
    brief = evaluate([solved], toy, sample, bins=None)
    pd.testing.assert_frame_equal(brief.saes, evaluate([solved], toy, sample, bins=4).saes)
    save_tables(brief, tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == {"saes", "projections", "stability"}


def test_an_untrained_sae_scores_as_random_directions_and_the_truth_keeps_exactly_k(tables: Tables) -> None:
    untrained, truth = tables.saes.iloc[1], tables.saes.iloc[2]
    assert untrained["c_dec_over_null"] == pytest.approx(1, abs=0.1)
    assert untrained["mcc"] < 0.4
    assert truth["l0"] == pytest.approx(7, abs=1e-3)
    assert truth["mcc"] == pytest.approx(1, abs=1e-4)
    assert truth["mse"] > 0.5


def test_projections_have_one_row_per_sae_and_n(tables: Tables) -> None:
    one = tables.projections[tables.projections["k"] == 11]
    assert one["n"].tolist() == list(range(1, 50))
    assert one["s_n"].is_monotonic_decreasing
    assert len(tables.projections) == 49 + 59 + 49


def test_histograms_are_densities_of_trained_saes(solved: Subject, tables: Tables, sample: Sample) -> None:
    assert len(tables.histograms) == 2 * 40
    one = tables.histograms[tables.histograms["k"] == 11]
    projections = decoder_projections(sample.activations, solved.sae.W_dec, solved.sae.b_dec)
    assert one["from"].iloc[0] == pytest.approx(projections.min().item())
    assert one["to"].iloc[-1] == pytest.approx(projections.max().item())
    assert ((one["to"] - one["from"]) * one["density"]).sum() == pytest.approx(1)
    middle = one.iloc[20]
    inside = ((projections >= middle["from"]) & (projections < middle["to"])).float().mean().item()
    assert middle["density"] * (middle["to"] - middle["from"]) == pytest.approx(inside, rel=1e-3)


def test_cosines_are_of_trained_saes_matched_one_to_one(tables: Tables) -> None:
    assert len(tables.cosines) == 50 * 50 + 60 * 50
    rows = tables.cosines[tables.cosines["k"] == 11]
    assert (rows["matched_feature"] == 49 - rows["latent"]).all()
    on = rows["feature"] == rows["matched_feature"]
    assert rows.loc[on, "decoder_cosine"].min() > 0.999
    assert rows.loc[~on, "decoder_cosine"].abs().max() < 1e-3


def test_latents_beyond_the_number_of_features_are_matched_to_none(tables: Tables) -> None:
    matched = tables.cosines[tables.cosines["k"] == 5].groupby("latent")["matched_feature"].first()
    assert matched.isna().sum() == 10
    assert sorted(matched.dropna()) == list(range(50))


def test_measured_alone_is_the_same(solved: Subject, tables: Tables, toy: Toy, sample: Sample) -> None:
    alone = evaluate([solved], toy, sample, bins=40)
    pd.testing.assert_frame_equal(alone.saes, tables.saes.iloc[:1])


def test_headline_is_the_rows_with_s_n_at_one_n(solved: Subject, toy: Toy, sample: Sample) -> None:
    one = evaluate([solved], toy, sample, bins=40)
    summary = headline(one, n=12)
    assert summary["s_n"] == one.projections["s_n"][11]
    assert all(one.saes[name][0] == value for name, value in summary.items() if name != "s_n")


def test_sweep_headline_says_where_the_metrics_point() -> None:
    rows = [
        (variant, k, seed, 10.9, c_dec + 0.001 * (seed or 0), 1 - c_dec, 0.995 if k == 11 and seed == 0 else 0.9)
        for variant, seed in (("trained", 0), ("trained", 1), ("truth", None))
        for k, c_dec in ((9.0, 0.03), (11.0, 0.01 if variant == "trained" else 0.5), (14.0, 0.02))
    ]
    saes = pd.DataFrame(rows, columns=["variant", "k", "seed", "true_l0", "c_dec", "c_enc", "mcc"])
    levels = {9.0: 0.2, 11.0: 0.055, 14.0: 0.05}
    projections = pd.DataFrame(
        [(variant, k, n, level if n == 18 else 9.0) for variant in ("trained", "truth") for k, level in levels.items()
         for n in (17, 18)],
        columns=["variant", "k", "n", "s_n"],
    )  # fmt: skip
    assert sweep_headline(Tables(saes, projections, *[pd.DataFrame()] * 3), n=18) == {
        "seeds": 2,
        "true_l0": 10.9,
        "k_of_least_c_dec": 11,
        "k_of_least_c_enc": 9,
        "k_where_s_n_levels": 11,
        "recovered_at_true_l0": 0.5,
    }
