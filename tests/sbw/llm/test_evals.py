"""The tables hold everything that SAELens's `run_evals` returns."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sae_lens import ActivationsStore
from sae_lens.evals import get_eval_everything_config, run_evals
from sae_lens.training.activation_scaler import ActivationScaler

from sbw.files import load_table, save_table
from sbw.llm.activations import load_texts, untokenised
from sbw.llm.evals import EVALS, EVALS_OF_LATENTS, GROUPS, evals_summary, evaluate_saes
from sbw.llm.model import Model
from sbw.params.llm import LlmEvals
from sbw.pretrained.listed import Listed, in_folder
from tests.tiny import CONTEXT, random_sae

PARAMS = LlmEvals(folders=[], release="", sae_id=".*", batch_size=3, reconstruction_batches=2, sparsity_batches=4)


Found = tuple[pd.DataFrame, pd.DataFrame, list[Listed]]


@pytest.fixture(scope="module")
def found(model: Model, tiny: Path) -> Found:
    for threshold in (0.2, 0.5, 1):
        random_sae(threshold=threshold).save_model(tiny / "saes" / f"threshold_{threshold:g}")
    listed = in_folder(tiny / "saes")
    return *evaluate_saes(listed, model, tiny / "corpus/train", CONTEXT, PARAMS), listed


def test_every_metric_equals_a_direct_call(found: Found, model: Model, tiny: Path) -> None:
    evals, features, listed = found
    for subject in listed:
        sae = subject.load()
        with untokenised():
            store = ActivationsStore.from_sae(model, sae, load_texts(tiny / "corpus/train"), store_batch_size_prompts=3)
        config = get_eval_everything_config(3, n_eval_reconstruction_batches=2, n_eval_sparsity_variance_batches=4)
        groups, latents = run_evals(sae, store, model, ActivationScaler(), config)
        row = evals.set_index("sae").loc[subject.name]
        expected = {name: value for group in groups.values() for name, value in group.items()}
        assert set(expected) == {name for metrics in GROUPS.values() for name in metrics}
        assert row[list(expected)].to_dict() == pytest.approx(expected, abs=1e-6, rel=1e-6)
        ours = features[features["sae"] == subject.name]
        for name, values in latents.items():
            np.testing.assert_allclose(ours[name], values, atol=1e-6)


def test_a_latent_that_never_fires_has_null_not_minus_one(found: Found, tmp_path: Path) -> None:
    _, features, _ = found
    save_table(features, EVALS_OF_LATENTS, tmp_path / "features.parquet")
    silent = load_table(tmp_path / "features.parquet").query("latent == 23")
    assert (silent["feature_density"] == 0).all()
    assert silent["consistent_activation_heuristic"].isna().all()
    assert (silent["log10_density"] == -10).all()


def test_the_tables_fit_their_schemas(found: Found, tmp_path: Path) -> None:
    evals, _, listed = found
    save_table(evals, EVALS, tmp_path / "evals.parquet")
    loaded = load_table(tmp_path / "evals.parquet")
    assert list(loaded["sae"]) == [subject.name for subject in listed]
    assert loaded["k"].isna().all()
    assert EVALS.field("mse").metadata[b"description"].startswith(b"reconstruction quality: ")


def test_the_summary_has_each_sae(found: Found) -> None:
    numbers = evals_summary(found[0])
    assert set(numbers) == {"threshold_0.2", "threshold_0.5", "threshold_1"}
    assert numbers["threshold_0.2"]["l0"] > numbers["threshold_1"]["l0"]
