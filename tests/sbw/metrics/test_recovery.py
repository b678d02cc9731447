"""SAELens's evaluation on a fixed sample: the truth recovers itself."""

import pytest
from sae_lens import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
from sae_lens.synthetic import init_sae_to_match_feature_dict

from sbw.metrics.recovery import recovery
from sbw.run.loading import load_params
from sbw.synthesis.laws import build_toy
from sbw.toy.generators import seeded
from sbw.toy.model import true_l0
from tests.conftest import ROOT


def test_ground_truth_weights_recover_every_feature() -> None:
    toy = build_toy(load_params(ROOT).toys["main"])
    sample = toy.observe(5_000, seeded(0))
    acts = sample.feature_acts
    sae = BatchTopKTrainingSAE(BatchTopKTrainingSAEConfig(d_in=100, d_sae=50, k=true_l0(acts)))
    init_sae_to_match_feature_dict(sae, toy.features)
    found = recovery(sae, toy.features, sample)
    assert found.mcc == pytest.approx(1, abs=1e-4)
    assert (found.uniqueness, found.dead_latents) == (1, 0)
    assert found.true_l0 == pytest.approx(true_l0(acts))
    assert found.sae_l0 == pytest.approx(true_l0(acts), abs=1e-3)
    assert found.classification.f1_score > 0.999
    assert found.shrinkage == pytest.approx(1, abs=1e-3)
