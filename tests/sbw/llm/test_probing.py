"""Probes are those of sae-probes, to the last digit, without its files."""

import json
import os
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from transformers import PreTrainedModel

from sbw.files import save_table
from sbw.llm.model import Model
from sbw.llm.probing import (
    BASELINE,
    baseline,
    last_token_activations,
    load_split,
    over_datasets,
    probe,
    require_datasets,
    write_activations,
)
from sbw.run.errors import UserError
from tests.sbw.llm import by_hand
from tests.tiny import HOOK, WIDTHS, random_sae

DATASETS = ["119_us_state_TX", "41_truthqa_tf"]
LONGEST = 16


@pytest.fixture(scope="module")
def folder(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("activations")
    write_activations(DATASETS, model, HOOK, 32, LONGEST, place)
    return place


@pytest.fixture(scope="module")
def theirs(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """sae-probes' own cache of activations, and its results of an SAE and of the baseline."""
    from sae_probes import run_baseline_evals, run_sae_evals
    from sae_probes.generate_model_activations import ensure_dataset_activations

    place = tmp_path_factory.mktemp("theirs")
    named = {"model_name": "tiny", "hook_name": HOOK, "setting": "normal", "datasets": DATASETS, "device": "cpu",
             "model_cache_path": place, "results_path": place}  # fmt: skip
    ensure_dataset_activations("tiny", DATASETS, [HOOK], place, device="cpu", max_seq_len=LONGEST, model=model)
    run_sae_evals(random_sae(), reg_type="l2", ks=[1, 16], **named)
    run_baseline_evals(method="logreg", **named)
    return place


def result(place: Path, pattern: str) -> list[dict[str, float]]:
    (found,) = place.rglob(pattern)
    return json.loads(found.read_text())


@pytest.mark.parametrize("dataset", DATASETS)
def test_activations_equal_those_of_sae_probes(dataset: str, folder: Path, theirs: Path) -> None:
    ours = load_file(folder / f"{dataset}.safetensors")["activations"]
    expected = torch.load(theirs / f"model_activations_tiny/{dataset}_{HOOK}.pt", weights_only=True)
    torch.testing.assert_close(ours, expected[:5000], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dataset", DATASETS)
def test_results_equal_those_of_run_sae_evals(dataset: str, theirs: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    cached = torch.load(theirs / f"model_activations_tiny/{dataset}_{HOOK}.pt", weights_only=True)
    save_file({"activations": cached}, tmp_path / f"{dataset}.safetensors")
    split = load_split(tmp_path, dataset, 42)
    ours = [*probe(random_sae(), split, [1, 16], 42), {"latents": -1, **baseline(split, 42)}]
    expected = [*result(theirs, f"{dataset}_{HOOK}_l2.json"), *result(theirs, f"{dataset}_{HOOK}_logreg.json")]
    names = {"f1": "test_f1", "accuracy": "test_acc", "auc": "test_auc", "validation_auc": "val_auc"}
    assert [row["latents"] for row in ours] == [row.get("k", -1) for row in expected]
    for mine, their in zip(ours, expected, strict=True):
        assert {name: mine[name] for name in names} == pytest.approx({n: their[t] for n, t in names.items()}, abs=1e-12)


def test_long_texts_lose_their_beginning_and_short_ones_nothing(model: Model) -> None:
    texts = ["b", "the end of it", "x" * 40 + "the end of it"]
    found = last_token_activations(texts, model, HOOK, 2, 13)
    torch.testing.assert_close(found[1], found[2], atol=1e-5, rtol=1e-5)
    alone = last_token_activations(texts[:1], model, HOOK, 2, 13)
    torch.testing.assert_close(found[:1], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("hook", WIDTHS)
def test_activations_at_any_hook_are_those_of_transformers(hook: str, model: Model, alone: PreTrainedModel) -> None:
    texts = ["the end of it", "b"]
    found = last_token_activations(texts, model, hook, 2, LONGEST)
    tokens = (torch.tensor([model.tokenizer(text)["input_ids"]]) for text in texts)
    expected = torch.cat([by_hand.activations(alone, hook, text)[:, -1] for text in tokens])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_bytes_do_not_depend_on_the_number_of_processes(
    folder: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = over_datasets(lambda split: [baseline(split, 1)], DATASETS, folder, 1, "baseline")
    monkeypatch.setattr("sbw.run.processes.processors", lambda: 1)
    write_activations(DATASETS, model, HOOK, 32, LONGEST, tmp_path)
    one = over_datasets(lambda split: [baseline(split, 1)], DATASETS, tmp_path, 1, "baseline")
    for path in folder.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
    pd.testing.assert_frame_equal(both, one, check_exact=True)
    assert one["dataset"].tolist() == DATASETS
    save_table(one[BASELINE.names], BASELINE, tmp_path / "baseline.parquet")


def test_an_unknown_dataset_is_refused_by_its_key() -> None:
    with pytest.raises(UserError, match=r"`probing\.datasets\[1\]` must be one of: .*5_hist_fig_ismale.*got 'x'"):
        require_datasets(["41_truthqa_tf", "x"])


def test_no_pickle_is_written(folder: Path) -> None:
    assert {os.path.splitext(name)[1] for name in os.listdir(folder)} == {".safetensors"}
    assert load_file(folder / f"{DATASETS[0]}.safetensors")["activations"].isfinite().all()
