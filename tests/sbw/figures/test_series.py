"""The tables of figures and interactive plots are the metrics', summed up over the seeds and rounded."""

import pandas as pd
import pytest

from sbw.figures import series

SAES = pd.DataFrame(
    [
        ("trained", 9.0, 0, 0.02, 0.03, 0.9, 0.95),
        ("trained", 9.0, 1, 0.04, 0.05, 0.8, 0.97),
        ("trained", 11.0, 0, 0.0, 0.01, 1.0, 1.0),
        ("trained", 11.0, 1, 0.002, 0.01, 0.98, 1.0),
        ("truth", 9.0, None, 0.0, 0.0, 1.0, 0.9),
    ],
    columns=["variant", "k", "seed", "c_dec", "c_enc", "mcc", "variance_explained_about_zero"],
).assign(true_l0=10.957382, c_dec_over_null=lambda table: table["c_dec"] / 0.08)


def test_a_sweep_has_mean_and_range_of_each_metric() -> None:
    table = series.sweep(SAES.iloc[[0, 1, 2, 3, 4]]).set_index(["metric", "k"])
    assert table[["mean", "low", "high", "seeds"]].loc[("c_dec", 9.0)].to_list() == [0.03, 0.02, 0.04, 2]
    assert table[["mean", "low", "high"]].loc[("mcc", 11.0)].to_list() == [0.99, 0.98, 1.0]
    assert table.loc[("c_enc", 9.0), "null"] == pytest.approx(0.08)
    assert table.loc["mcc", "null"].isna().all()
    assert (table["true_l0"] == 10.95738).all()


def test_the_tradeoff_has_trained_and_true() -> None:
    table = series.tradeoff(SAES).set_index(["variant", "k"])
    assert table.loc[("trained", 9.0), "mean"] == pytest.approx(0.96)
    assert table[["mean", "seeds"]].loc[("truth", 9.0)].to_list() == [0.9, 1]


def test_projections_have_every_n() -> None:
    rows = [("trained", 9.0, seed, n, n / 10 + seed / 100) for seed in (0, 1) for n in (1, 2)]
    table = series.projections(pd.DataFrame(rows, columns=["variant", "k", "seed", "n", "s_n"]), SAES)
    assert table[["n", "mean", "low", "high"]].to_numpy().tolist() == [[1, 0.105, 0.1, 0.11], [2, 0.205, 0.2, 0.21]]


def test_cosines_are_in_the_order_of_the_matched_features() -> None:
    rows = [(0, 1, 0, 0.1, 0.2), (0, 1, 1, 0.9, 0.8), (1, 0, 0, 0.7, 0.6), (1, 0, 1, 0.0, 0.0)]
    columns = ["latent", "matched_feature", "feature", "encoder_cosine", "decoder_cosine"]
    table = series.cosines(pd.DataFrame(rows, columns=columns))
    assert len(table) == 8
    assert table.groupby("latent")["row"].first().tolist() == [1, 0]
    one = table[(table["side"] == "decoder") & (table["latent"] == 0) & (table["feature"] == 1)]
    assert one["cosine"].tolist() == [0.8]


def test_mixing_is_averaged_over_latents_before_seeds() -> None:
    rows = [(0.4, 1.8, seed, latent, 0.1 * seed + 0.01 * latent) for seed in (0, 1) for latent in (0, 2)]
    mixing = pd.DataFrame(rows, columns=["rho", "k", "seed", "latent", "mixing"]).assign(true_l0=2.0)
    table = series.mixings({"mine": mixing})
    assert table[["experiment", "mean", "low", "high", "seeds"]].to_numpy().tolist() == [["mine", 0.06, 0.01, 0.11, 2]]


def test_public_saes_are_the_selected_ones() -> None:
    rows = [("b", "2", 20.0, True), ("a", "1", 10.0, True), ("a", "0", 5.0, False)]
    table = series.public(pd.DataFrame(rows, columns=["model", "sae_id", "l0", "selected"]))
    assert table["model"].tolist() == ["a", "b"]
