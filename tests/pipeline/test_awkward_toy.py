"""The same stages take a toy of other laws, with fewer features than latents."""

import json
from typing import Any

import pytest

from sbw.files import load_table
from tests.conftest import Clone, stages_run

AWKWARD: dict[str, Any] = {
    "num_features": 40,
    "d_in": 32,
    "seed": 3,
    "orthogonalization_steps": 5,
    "firing": {"law": "zipf", "max": 0.6, "min": 0.05, "exponent": 0.5},
    "magnitude": {"law": "folded_normal", "mean": 1.0, "spread": 0.4, "std": 0.1},
    "correlation": {"law": "low_rank", "rank": 4, "scale": 0.2, "seed": 1},
    "hierarchy": {"total_root_nodes": 8, "branching_factor": 3, "max_depth": 2},
}


def test_a_sweep_of_an_awkward_toy_is_a_few_lines_of_params(reproduced: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    reproduced.set_params({"toys.mine": AWKWARD, "sweep.toy": "mine"})
    ran = stages_run(reproduced.dvc("repro", "evaluate@sweep"))
    assert ran == {"synthesize@mine", "sweep@low", "sweep@near", "evaluate@sweep"}
    reproduced.stage_here(monkeypatch, "report")
    saes = load_table(reproduced.root / "data/metrics/sweep/saes.parquet").groupby("variant")["d_sae"].unique()
    assert {name: of_one.tolist() for name, of_one in saes.items()} == {"trained": [50], "truth": [40]}
    stats = json.loads((reproduced.root / "data/toy/mine/stats.json").read_text())
    assert stats["true_l0"] < stats["sum_of_firing_probabilities"], "the hierarchy silences some"
    text = (reproduced.root / "plots/report.md").read_text()
    assert "The toy `mine` has 40 features in 32 dimensions. They fire with probabilities that fall by" in text
    assert "Their correlations have 4 common causes of scale 0.2. Below 8 roots of a hierarchy they fire only" in text
    assert "| not tested here: sweep.toy is mine: its num\\_features is 40, not 50 |" in text
    assert "not hold here" not in text
