"""The evidence is the sweep's metrics, turned, in their units, and summed up in verdicts."""

import math

import pandas as pd
import pytest

from sbw.metrics.geometry import null_pairwise_cosine
from sbw.verdict.evidence import (
    CURVES,
    SENSITIVITY,
    audit_verdicts,
    best_n,
    c_dec_rows,
    curves_table,
    evidence,
    s_n_rows,
    sensitivity,
    sigma_of,
    stability_rows,
    summary,
    verdicts,
    width_rows,
)

KS = (2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0)
RIGHT, H = 8.0, 12


def mixed(k: float) -> float:
    """How far an SAE trained at k is from the right one, in c_dec over its null."""
    return abs(math.log(k / RIGHT))


def saes(seeds: tuple[int, ...] = (0, 1)) -> pd.DataFrame:
    table = pd.DataFrame([(k, seed, 0.99 * k) for k in KS for seed in seeds], columns=["k", "seed", "l0"])
    return table.assign(
        d_in=100,
        c_dec=null_pairwise_cosine(100) * table["k"].map(mixed),
        mse=16.0,
        variance_explained_about_zero=0.84,
    )


def projections() -> pd.DataFrame:
    """s_n = ±(how mixed) towards both ends: the width is twice as much, whatever all projections have in common."""
    rows = [(k, seed, n, 0.3 + mixed(k) * (1 if n < H / 2 else -1), 0.01)
            for k in KS for seed in (0, 1) for n in range(1, H)]  # fmt: skip
    return pd.DataFrame(rows, columns=["k", "seed", "n", "s_n", "s_n_error"])


def stability() -> pd.DataFrame:
    return pd.DataFrame({"k": KS, "agreement": [1 - mixed(k) / 2 for k in KS]})


def with_settings(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(setting=table["k"], l0=0.99 * table["k"])


def test_c_dec_is_in_units_of_random_directions() -> None:
    rows = c_dec_rows(saes().assign(setting=0))
    assert rows["value"].tolist() == pytest.approx([mixed(k) for k in KS for _ in (0, 1)])
    assert (rows["error"] == 0).all()


def test_sigma_is_the_root_mean_square_projection_on_a_random_direction() -> None:
    assert sigma_of(saes()) == pytest.approx(math.sqrt(16 / 0.16 / 100))


def test_s_n_is_in_units_of_sigma_up_to_half_the_latents() -> None:
    rows = s_n_rows(with_settings(projections()), sigma=2.0)
    assert sorted(rows["n"].unique()) == list(range(1, 6))
    at_4 = rows[rows["setting"] == 4]
    assert at_4["value"].tolist() == pytest.approx([(0.3 + mixed(4)) / 2] * 10)
    assert at_4["error"].tolist() == pytest.approx([0.005] * 10)


def test_the_width_takes_off_what_all_projections_share() -> None:
    rows = width_rows(with_settings(projections()), sigma=2.0)
    assert sorted(rows["n"].unique()) == list(range(1, 6))
    at_4 = rows[rows["setting"] == 4]
    assert at_4["value"].tolist() == pytest.approx([mixed(4)] * 10)
    assert at_4["error"].tolist() == pytest.approx([0.01 * math.sqrt(2) / 2] * 10)


def test_stability_is_turned() -> None:
    assert stability_rows(with_settings(stability()))["value"].tolist() == pytest.approx([mixed(k) / 2 for k in KS])


def test_evidence_has_every_metric_against_the_l0_achieved() -> None:
    found = evidence(saes(), projections(), stability())
    assert list(found.metrics) == ["c_dec", f"w_{found.n}", "stability"]
    for rows in found.metrics.values():
        assert sorted(rows["l0"].unique()) == pytest.approx([0.99 * k for k in KS])


def test_evidence_of_one_seed_has_no_stability() -> None:
    one = projections()
    found = evidence(saes((0,)), one[one["seed"] == 0], stability().iloc[:0])
    assert list(found.metrics) == ["c_dec", f"w_{found.n}"]


def test_the_n_is_that_which_agrees_with_most() -> None:
    table = with_settings(projections())
    odd = table["n"].isin([2, H - 2])  # for n = 2, k = 4 is right
    signs = table.loc[odd, "n"].map({2: 1, H - 2: -1})
    table.loc[odd, "s_n"] = signs * (table.loc[odd, "k"] / 4).map(math.log).abs()
    curve = sensitivity(width_rows(table, sigma=1.0))
    assert curve["n"].tolist() == [1, 2, 3, 4, 5]
    assert curve["agreeing"].tolist() == [4, 1, 4, 4, 4]
    assert best_n(curve) == 4


def test_an_n_that_tells_nothing_agrees_with_none() -> None:
    curve = sensitivity(width_rows(with_settings(projections()).assign(s_n=0.0), sigma=1.0))
    assert curve["agreeing"].tolist() == [0] * 5
    assert curve["l0"].isna().all()


def test_all_metrics_of_a_clear_sweep_name_its_l0() -> None:
    said = verdicts(evidence(saes(), projections(), stability()).metrics, seed=0)
    assert [verdict.metric for verdict in said] == ["c_dec", "w_3", "stability", "combined"]
    for verdict in said:
        assert verdict.kind == "minimum"
        assert verdict.l0 == pytest.approx(0.99 * RIGHT, rel=0.05)


def test_the_summary_is_the_combined_verdict_with_the_others_below() -> None:
    document = summary(verdicts(evidence(saes(), projections(), stability()).metrics, seed=0))
    assert list(document) == ["verdict", "l0", "low", "high", "said", "metrics"]
    assert list(document["metrics"]) == ["c_dec", "w_3", "stability"]
    assert document["metrics"]["c_dec"]["said"].startswith("c_dec falls until L0")


def test_tables_have_their_schemas_columns() -> None:
    found = evidence(saes(), projections(), stability())
    table = curves_table(found.metrics, verdicts(found.metrics, seed=0), true_l0=7.9)
    assert list(table.columns) == CURVES.names
    assert list(found.sensitivity.columns) == SENSITIVITY.names
    assert len(table) == 2 * len(KS) * 2 + len(KS)


def audited(family: str, ks: tuple[float, ...]) -> pd.DataFrame:
    null = null_pairwise_cosine(64)
    return pd.DataFrame({"family": family, "setting": ks, "l0": ks, "c_dec": [null * mixed(k) for k in ks], "d_in": 64})


def test_an_audit_has_a_verdict_a_family() -> None:
    agreement = [1 - mixed(k) / 2 for k in KS]
    agreements = pd.DataFrame({"family": "ours", "setting": KS, "l0": KS, "agreement": agreement})
    table = pd.concat([audited("ours", KS), audited("theirs", KS), audited("few", KS[:2])])
    found = audit_verdicts(table, agreements, seed=0)
    assert list(found["ours"]["metrics"]) == ["c_dec", "stability"]
    assert list(found["theirs"]["metrics"]) == ["c_dec"]
    assert found["theirs"]["l0"] == pytest.approx(RIGHT, rel=0.05)
    assert found["few"]["said"] == "c_dec does not tell: that needs SAEs at 3 L0s at least, got 2."
