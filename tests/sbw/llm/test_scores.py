"""Means of probes over datasets, and which SAEs can be told from the best."""

import math
from pathlib import Path

import pandas as pd
import pytest

from sbw.llm.probing import PROBES
from sbw.llm.scores import SCORES, headline, scores
from sbw.tables import load_table, save_table


def tables() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    f1 = {("a", 5): 0.5, ("b", 5): 0.7, ("a", 9): 0.9, ("b", 9): 0.9}
    probes = pd.DataFrame(
        [(k, seed, 1, dataset, value + 0.1 * seed) for (dataset, k), value in f1.items() for seed in (0, 1)],
        columns=["k", "seed", "latents", "dataset", "f1"],
    ).assign(accuracy=0.5, auc=0.8, validation_auc=0.8)
    of_all = pd.DataFrame({"dataset": ["a", "b"], "f1": [0.9, 1.0], "accuracy": 0.5, "auc": 0.9, "validation_auc": 0.9})
    return probes[PROBES.names], of_all, pd.DataFrame({"k": [5, 5, 9, 9], "l0": [4.0, 5, 9, 9]})


def test_scores_are_means_with_intervals_of_drawn_datasets(tmp_path: Path) -> None:
    found = scores(*tables(), seed=0)
    f1 = found[found["measure"] == "f1"].set_index("k")
    assert f1.loc[5, ["l0", "mean"]].tolist() == pytest.approx([4.5, 0.65])
    assert f1.loc[5, ["low", "high"]].tolist() == pytest.approx([0.55, 0.75])  # a quarter of draws is one of them twice
    assert f1.loc[9, ["low", "high"]].tolist() == pytest.approx([0.95, 0.95])
    assert f1.loc[5, ["behind", "behind_low", "behind_high"]].tolist() == pytest.approx([-0.3, -0.4, -0.2])
    assert f1.loc[9, ["behind", "behind_low", "behind_high"]].tolist() == [0, 0, 0]
    assert f1.loc[math.nan, "behind":"behind_high"].isna().all()
    save_table(found, SCORES, tmp_path / "scores.parquet")
    loaded = load_table(tmp_path / "scores.parquet")
    assert loaded["latents"].isna().sum() == 2
    assert math.isnan(loaded["k"].iloc[-1])


def test_the_headline_names_the_baseline_and_every_k() -> None:
    told = headline(scores(*tables(), seed=0))
    assert told["datasets"] == 2
    assert told["baseline"]["f1"] == pytest.approx([0.95, 0.9, 1.0])
    assert [(row["k"], row["l0"], row["latents_1"]["f1"][0]) for row in told["saes"]] == [(5, 4.5, 0.65), (9, 9, 0.95)]
    assert told["saes"][0]["latents_1"]["f1_behind"] == pytest.approx([-0.3, -0.4, -0.2])
