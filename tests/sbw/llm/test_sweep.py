"""An L0 is too low, right or too high by the recommended interval; the summary has the numbers that are known."""

import math

import pandas as pd
import pytest

from sbw.llm.sweep import Recommended, SweptSae, recommended, sweep_summary


def test_an_l0_has_its_place_by_the_interval_and_none_without_one() -> None:
    verdict = recommended({"verdict": "elbow", "l0": 20, "low": 10, "high": 40, "words": ""})
    assert [verdict.place_of(l0) for l0 in (9.9, 10, 40, 40.1)] == ["too low", "right", "right", "too high"]
    assert Recommended(None, None, None).place_of(5) == ""


def test_an_sae_has_its_k_and_seed_in_its_name() -> None:
    assert SweptSae(25.0, 1).name == "k=25/seed=1"
    assert SweptSae(2.5, 0).name == "k=2.5/seed=0"


def test_the_summary_has_means_over_seeds_and_leaves_out_what_is_unknown() -> None:
    saes = pd.DataFrame({"k": [5.0, 5, 9], "l0": [4.0, 5, 9.123456], "variance_explained_about_mean": 0.5,
                         "ce_loss_score": [0.9, 0.8, math.nan], "c_dec": 0.1, "c_dec_over_null": 2.0,
                         "c_dec_of_firing": 0.2, "coherence": [0.5, 0.7, -1], "coherence_pursuit": 0.1,
                         "coherent_latents": 0.6, "dead_latents": [1, 2, 3], "dense_latents": 0})  # fmt: skip
    five, nine = sweep_summary(saes, pd.DataFrame({"k": [5.0], "agreement": [0.75]}))
    assert (five["k"], five["l0"], five["dead_latents"], five["agreement"]) == (5, 4.5, 1.5, 0.75)
    assert five["ce_loss_score"] == pytest.approx(0.85)
    assert nine["l0"] == 9.1235
    assert (five["coherence"], nine["coherence"]) == (0.6, -1)
    assert {"ce_loss_score", "agreement"}.isdisjoint(nine)
