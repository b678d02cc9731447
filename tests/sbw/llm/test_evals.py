"""The tables hold everything that SAELens's `run_evals` returns."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sae_lens import SAE, ActivationsStore
from sae_lens.evals import get_eval_everything_config, run_evals
from sae_lens.training.activation_scaler import ActivationScaler
from torch import Tensor
from transformers import PreTrainedModel

from sbw.files import load_table, save_table
from sbw.llm.activations import load_texts, untokenised
from sbw.llm.evals import EVALS, EVALS_OF_LATENTS, GROUPS, evals_summary, evaluate_saes
from sbw.llm.model import Model, load_model, special_tokens
from sbw.params.llm import LlmEvals
from sbw.pretrained.listed import Listed, in_folder
from sbw.run.errors import UserError
from tests.sbw.llm import by_hand
from tests.tiny import CONTEXT, QUERIES, WIDTHS, Z, random_sae

PARAMS = LlmEvals(folders=[], release="", sae_id=".*", batch_size=3, reconstruction_batches=2, sparsity_batches=4)


METRICS = [name for metrics in GROUPS.values() for name in metrics]
Found = tuple[pd.DataFrame, pd.DataFrame, list[Listed]]


@pytest.fixture(scope="module")
def found(model: Model, tiny: Path) -> Found:
    for threshold in (0.2, 0.5, 1):
        random_sae(threshold=threshold).save_model(tiny / "saes" / f"threshold_{threshold:g}")
    listed = in_folder(tiny / "saes")
    return *evaluate_saes(listed, model, tiny / "corpus/train", CONTEXT, PARAMS), listed


def direct(sae: SAE, model: Model, tiny: Path) -> tuple[dict[str, float], dict[str, list[float]]]:
    """SAELens's evals, called as it documents."""
    with untokenised():
        store = ActivationsStore.from_sae(model, sae, load_texts(tiny / "corpus/train"), store_batch_size_prompts=3)
    config = get_eval_everything_config(3, n_eval_reconstruction_batches=2, n_eval_sparsity_variance_batches=4)
    groups, latents = run_evals(sae, store, model, ActivationScaler(), config)
    return {name: value for group in groups.values() for name, value in group.items()}, latents


def evaluated(sae: SAE, model: Model, tiny: Path, folder: Path) -> "pd.Series[float]":
    """Our metrics of one SAE."""
    sae.save_model(folder / "mine")
    evals, _ = evaluate_saes(in_folder(folder), model, tiny / "corpus/train", CONTEXT, PARAMS)
    assert evals["hook"].item() == sae.cfg.metadata.hook_name
    return evals.iloc[0][list(METRICS)].astype(float)


def test_every_metric_equals_a_direct_call(found: Found, model: Model, tiny: Path) -> None:
    evals, features, listed = found
    for subject in listed:
        sae = subject.load()
        expected, latents = direct(sae, model, tiny)
        row = evals.set_index("sae").loc[subject.name]
        assert set(expected) == set(METRICS)
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


def biased_sae(**options: Any) -> SAE:
    """A random SAE none of whose reconstructions is zero, of which SAELens's cosine would be NaN."""
    sae = random_sae(**options)
    sae.b_dec.data[:] = 0.1
    return sae


@pytest.fixture
def tokens(store: ActivationsStore) -> Tensor:
    """All that are measured: the SAE runs in the model on the first 6 contexts, and alone on the other 12."""
    return torch.cat([store.get_batch_tokens(3) for _ in range(6)])


def of_the_sae_alone(x: Tensor, reconstructed: Tensor) -> dict[str, float]:
    """Some of the metrics, as `GROUPS` defines them."""
    mse = (x - reconstructed).square().sum(dim=-1).mean().item()
    norm = x.norm(dim=-1).mean().item()
    return {"mse": mse, "explained_variance": 1 - mse / x.var(dim=0, correction=0).sum().item(), "l2_norm_in": norm}


@pytest.mark.parametrize("hook", WIDTHS)
def test_an_sae_at_any_hook_is_evaluated_as_by_hand(
    hook: str, model: Model, alone: PreTrainedModel, tokens: Tensor, tiny: Path, tmp_path: Path
) -> None:
    sae, special = biased_sae(hook=hook), torch.isin(tokens, special_tokens(model))
    found = evaluated(sae, model, tiny, tmp_path)
    x = by_hand.activations(alone, hook, tokens)[6:][~special[6:]]
    l0 = (sae.encode(x) > 0).sum(dim=-1).double().mean().item()
    expected = {**of_the_sae_alone(x, sae(x)), "l0": l0}
    edits = {
        "without_sae": lambda x: x,
        "with_sae": lambda x: torch.where(special[:6, :, None], x, sae(x)),
        "with_ablation": torch.zeros_like,
    }
    for name, edit in edits.items():
        losses = by_hand.losses(alone, hook, tokens[:6], edit)[~special[:6, :-1]]
        expected[f"ce_loss_{name}"] = losses.mean().item()
    assert found[list(expected)].to_dict() == pytest.approx(expected, rel=1e-4)
    assert found.notna().all()


@pytest.mark.filterwarnings("ignore:HookedTransformer is deprecated:DeprecationWarning")
@pytest.mark.parametrize(("name", "reshaped"), [("hook_z", "hook_z"), ("hook_q", "none")])
def test_heads_are_joined_as_saelens_joins_those_that_it_knows(
    name: str, reshaped: Any, tiny: Path, tmp_path: Path
) -> None:
    hooked = load_model(tiny / "model", "HookedSAETransformer", "float32")
    sae = biased_sae(hook=Z)
    sae.cfg.metadata.hook_name, sae.cfg.reshape_activations = f"blocks.0.attn.{name}", reshaped
    found = evaluated(sae, hooked, tiny, tmp_path)
    expected, _ = direct(SAE.load_from_disk(tmp_path / "mine"), hooked, tiny)
    assert found.to_dict() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("left_out", [None, True, list(range(64, 96))])
@pytest.mark.parametrize("hook", [QUERIES, Z])
def test_an_unfolded_sae_equals_its_folded_copy(
    hook: str, left_out: Any, model: Model, alone: PreTrainedModel, tokens: Tensor, tiny: Path, tmp_path: Path
) -> None:
    saes = {name: biased_sae(hook=hook, normalised="expected_average_only_in") for name in ("unfolded", "folded")}
    saes["plain"] = biased_sae(hook=hook)
    excluded = special_tokens(model) if left_out is True else torch.tensor(left_out or [])
    read = by_hand.activations(alone, hook, tokens)[~torch.isin(tokens, excluded)]
    saes["folded"].fold_activation_norm_scaling_factor(WIDTHS[hook] ** 0.5 / read.norm(dim=-1).mean().item())
    saes["unfolded"].cfg.metadata.exclude_special_tokens = left_out
    found = {name: evaluated(sae, model, tiny, tmp_path / name) for name, sae in saes.items()}
    assert found["unfolded"].to_dict() == pytest.approx(found["folded"].to_dict(), rel=1e-4)
    assert abs(found["unfolded"]["explained_variance"] - found["plain"]["explained_variance"]) > 0.01
    same = ["ce_loss_without_sae", "ce_loss_with_ablation", "l2_norm_in"]
    assert found["unfolded"][same].to_dict() == found["plain"][same].to_dict(), "the texts measured are the same"


@pytest.mark.parametrize("normalised", ["constant_norm_rescale", "layer_norm"])
def test_an_sae_that_normalises_each_activation_does_so_itself(
    normalised: str, model: Model, alone: PreTrainedModel, tokens: Tensor, tiny: Path, tmp_path: Path
) -> None:
    found = evaluated(biased_sae(hook=Z, normalised=normalised), model, tiny, tmp_path)
    x = by_hand.activations(alone, Z, tokens)[6:][~torch.isin(tokens[6:], special_tokens(model))]
    mean, scale = torch.zeros(len(x), 1), x.norm(dim=-1, keepdim=True) / 4
    if normalised == "layer_norm":
        mean, scale = x.mean(dim=-1, keepdim=True), x.std(dim=-1, keepdim=True)
    expected = of_the_sae_alone(x, biased_sae(hook=Z)((x - mean) / scale) * scale + mean)
    assert found[list(expected)].to_dict() == pytest.approx(expected, rel=1e-3)


def test_an_sae_that_cannot_be_evaluated_is_refused(model: Model, tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"`normalize_activations` of mine must be one of: .*'covariance_whitening'"):
        evaluated(biased_sae(normalised="covariance_whitening"), model, tiny, tmp_path)
