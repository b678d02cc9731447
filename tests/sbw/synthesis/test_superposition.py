"""Blocks of features have the overlaps that SAELens finds one by one."""

import pytest
from sae_lens.synthetic import FeatureDictionary, compute_superposition_stats

from sbw.synthesis import superposition as module
from sbw.synthesis.superposition import superposition


@pytest.mark.parametrize(("features", "width"), [(2, 3), (5, 20), (50, 100), (300, 16)])
@pytest.mark.parametrize("block", [64, 1024])
def test_equals_saelens(features: int, width: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", block)
    dictionary = FeatureDictionary(features, width, initializer=None, seed=features)
    ours, theirs = superposition(dictionary.feature_vectors), compute_superposition_stats(dictionary)
    assert ours.mean_abs_cos_sim == pytest.approx(theirs.mean_abs_cos_sim, rel=1e-5)
    assert ours.mean_max_abs_cos_sim == pytest.approx(theirs.mean_max_abs_cos_sim, rel=1e-5)
    assert ours.mean_percentile_abs_cos_sim == pytest.approx(theirs.mean_percentile_abs_cos_sim, rel=1e-5)
