"""Means of probes over datasets, and which SAEs are worse than the best."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sbw.files import load_table, save_table
from sbw.llm.probing import PROBES
from sbw.llm.scores import SCORES, probe_scores, scores_summary


def tables() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    f1 = {("a", 5): 0.5, ("b", 5): 0.7, ("a", 9): 0.9, ("b", 9): 0.9}
    probes = pd.DataFrame(
        [(k, seed, 1, dataset, value + 0.1 * seed) for (dataset, k), value in f1.items() for seed in (0, 1)],
        columns=["k", "seed", "latents", "dataset", "f1"],
    ).assign(accuracy=0.5, auc=0.8, validation_auc=0.8)
    of_all = pd.DataFrame({"dataset": ["a", "b"], "f1": [0.9, 1.0], "accuracy": 0.5, "auc": 0.9, "validation_auc": 0.9})
    return probes[PROBES.names], of_all, pd.DataFrame({"k": [5, 5, 9, 9], "l0": [4.0, 5, 9, 9]})


def test_scores_are_means_with_intervals_of_drawn_datasets_and_seeds(tmp_path: Path) -> None:
    found = probe_scores(*tables(), seed=0)
    f1 = found[found["measure"] == "f1"].set_index("k")
    assert f1.loc[5, ["l0", "mean", "behind"]].tolist() == pytest.approx([4.5, 0.65, 0.3])
    assert f1.loc[5, ["low", "high"]].tolist() == pytest.approx([0.5, 0.8])  # 1/16 of draws: one seed, one dataset
    assert f1.loc[9, ["mean", "low", "high", "behind"]].tolist() == pytest.approx([0.95, 0.9, 1.0, 0])
    assert f1.loc[5, "margin"] == pytest.approx(0.15)  # a draw moves 9 against 5 by 0.2 in 1/64, by 0.15 in 1/16
    assert f1.loc[math.nan, ["behind", "margin"]].isna().all()
    save_table(found, SCORES, tmp_path / "scores.parquet")
    loaded = load_table(tmp_path / "scores.parquet")
    assert loaded["latents"].isna().sum() == 2
    assert math.isnan(loaded["k"].iloc[-1])


def test_the_summary_names_the_baseline_and_every_k() -> None:
    document = scores_summary(probe_scores(*tables(), seed=0))
    assert (document["datasets"], document["level"]) == (2, 0.9)
    assert document["baseline"]["f1"] == pytest.approx([0.95, 0.9, 1.0])
    of_k = [(row["k"], row["l0"], row["latents_1"]["f1"][0]) for row in document["saes"]]
    assert of_k == [
        (5, 4.5, 0.65),
        (9, 9, 0.95),
    ]
    assert document["saes"][0]["latents_1"]["f1_behind_and_margin"] == pytest.approx([0.3, 0.15])


def test_of_equal_saes_few_are_called_worse_than_the_best() -> None:
    ks, names, found_worse = [5, 8, 14, 25, 43, 75, 130, 230, 400], [f"dataset {i}" for i in range(40)], []
    for draw in range(25):
        generator = np.random.default_rng(draw)
        difficulty = generator.normal(0.6, 0.1, len(names))
        rows = [
            (k, seed, 1, name, easy + noise)
            for k in ks
            for seed in (0, 1)
            for name, easy, noise in zip(names, difficulty, generator.normal(0, 0.03, len(names)), strict=True)
        ]
        probes = pd.DataFrame(rows, columns=["k", "seed", "latents", "dataset", "f1"]).assign(auc=0.5)
        of_all = pd.DataFrame({"dataset": names, "f1": 0.7, "auc": 0.7})
        found = probe_scores(probes, of_all, pd.DataFrame({"k": ks, "l0": ks}), seed=0).dropna(subset="k")
        f1 = found[found["measure"] == "f1"]
        found_worse.append((f1["behind"] > f1["margin"]).mean())
        worse = probes.assign(f1=probes["f1"] - 0.05 * (probes["k"] == 5))
        found = probe_scores(worse, of_all, pd.DataFrame({"k": ks, "l0": ks}), seed=0)
        assert (found["behind"] > found["margin"]).iloc[0], "one that is worse is found"
    assert np.mean(found_worse) < 0.06
