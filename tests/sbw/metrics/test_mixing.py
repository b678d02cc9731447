"""The table of mixing has one row per SAE and latent of another feature than feature 0."""

from pathlib import Path

import pytest
import torch

from sbw.files import load_table, save_table
from sbw.metrics.mixing import MIXING, mixing_table
from sbw.run.loading import load_params
from sbw.saes.untrained import true_sae
from sbw.synthesis.laws import build_toy
from tests.conftest import ROOT


def test_true_features_mix_nothing_and_a_part_of_feature_0_is_seen(tmp_path: Path) -> None:
    toy = build_toy(load_params(ROOT).toys["five_superposed"])
    clean, mixed = true_sae(2, toy.features), true_sae(2, toy.features)
    mixed.W_dec.data = mixed.W_dec[torch.tensor([4, 3, 2, 1, 0])]
    mixed.W_dec.data[1] += 0.5 * toy.features.feature_vectors[0]
    saes = [({"rho": -0.4, "k": 1.8, "seed": 0}, clean), ({"rho": 0.4, "k": 1.8, "seed": 1}, mixed)]
    table = mixing_table(saes, toy.features, "mixing", "five_superposed", true_l0=2.0)
    save_table(table, MIXING, tmp_path / "mixing.parquet")
    assert len(load_table(tmp_path / "mixing.parquet")) == 8
    assert table.loc[table["seed"] == 0, "mixing"].abs().max() < 1e-6
    seen = table[table["seed"] == 1].set_index("latent")["mixing"]
    assert seen.index.tolist() == [0, 1, 2, 3], "latent 4 is feature 0's now"
    assert seen[1] == pytest.approx(0.4, abs=0.15)
    assert seen.drop(1).abs().max() < 1e-6
