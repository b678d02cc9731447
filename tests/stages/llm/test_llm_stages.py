"""Every stage of stages/llm on a tiny model: what it writes, that it writes it again, and what it refuses."""

import json
from pathlib import Path

import pytest
from sae_lens import SAE

from sbw.__main__ import main
from sbw.files import load_table
from tests.conftest import LLM_PARAMS, Clone
from tests.tiny import CONTEXT, HOOK, write_corpus, write_model

VALUES = {
    "hook": HOOK,
    "dtype": "float32",
    "context_size": CONTEXT,
    "harvest.tokens": 1200,
    "harvest.batch_size": 4,
    "train.d_sae": 24,
    "train.batch_size": 30,
    "train.buffer": 500,
    "train.saes": {"one": {"architecture": "batchtopk", "k": 4}, "two": {"architecture": "batchtopk", "k": 8}},
    "focus": "one",
    "evals.batch_size": 2,
    "evals.reconstruction_batches": 2,
    "evals.sparsity_batches": 3,
    "inspect.batches": 2,
    "dashboards.latents": list(range(24)),
    "dashboards.contexts": 6,
    "sweep.cells": {"low": [3], "high": [8]},
    "sweep.texts.ks": [3, 8],
    "sweep.figures.ks": [3, 8],
}
WRITES = {
    "harvest": ["data/llm/activations"],
    "train": ["data/llm/sae"],
    "evals": ["data/llm/evals.parquet", "data/llm/features.parquet", "data/metrics/llm/evals.json"],
    "inspect": ["data/llm/inspection", "data/metrics/llm/inspect.json"],
    "figures": ["plots/llm"],
    "dashboards": ["data/llm/dashboards"],
}


@pytest.fixture(scope="module")
def ran(checkout: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone with the tiny model and its texts, in which every later stage has run."""
    clone = checkout.copy(tmp_path_factory.mktemp("llm") / "sbw")
    clone.set_params(VALUES, file=LLM_PARAMS)
    (clone.root / "data/llm/corpus").mkdir(parents=True)
    write_model(clone.root / "data/llm/model")
    write_corpus(clone.root / "data/llm/corpus")
    with pytest.MonkeyPatch.context() as patch:
        for stage in WRITES:
            clone.stage_here(patch, f"llm.{stage}")
    return clone


def contents(clone: Clone, stage: str) -> dict[str, bytes]:
    paths = [clone.root / name for name in WRITES[stage]]
    files = [file for path in paths for file in (sorted(path.rglob("*.*")) if path.is_dir() else [path])]
    return {str(file): file.read_bytes() for file in files}


@pytest.mark.parametrize("stage", [stage for stage in WRITES if stage != "figures"])  # those have a test of their own
def test_a_stage_run_again_writes_the_same_bytes(stage: str, ran: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(ran, stage)
    assert before
    ran.stage_here(monkeypatch, f"llm.{stage}")
    assert contents(ran, stage) == before


def test_the_tables_have_the_trained_saes(ran: Clone) -> None:
    data = ran.root / "data/llm"
    assert list(load_table(data / "evals.parquet")["sae"]) == ["one", "two"]
    assert len(load_table(data / "features.parquet")) == 48
    assert list(load_table(data / "inspection/variants.parquet")["variant"]) == ["model", "sae", "sae", "ablated"]
    assert SAE.load_from_disk(data / "sae/one").cfg.metadata.hook_name == HOOK
    assert {path.name for path in (ran.root / "plots/llm").glob("*.svg")} == {
        "l0.svg", "density.svg", "consistency.svg", "scatter.svg", "cosine.svg", "comparison.svg"
    }  # fmt: skip


def test_the_numbers_agree_with_transformers_alone(ran: Clone) -> None:
    numbers = json.loads((ran.root / "data/metrics/llm/inspect.json").read_text())
    assert numbers["ce_loss"]["model"] == pytest.approx(numbers["ce_loss_by_transformers_alone"], rel=1e-3)


def test_saes_of_a_further_folder_are_evaluated_too(
    ran: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = ran.copy(tmp_path / "sbw")
    SAE.load_from_disk(clone.root / "data/llm/sae/two").save_model(tmp_path / "mine/three")
    clone.set_params({"evals.folders": [str(tmp_path / "mine")]}, file=LLM_PARAMS)
    clone.stage_here(monkeypatch, "llm.evals")
    evals = load_table(clone.root / "data/llm/evals.parquet").set_index("sae")
    assert list(evals.index) == ["one", "two", "three"]
    assert evals.loc["three", "mse"] == evals.loc["two", "mse"]


@pytest.mark.parametrize(
    ("values", "stage", "message"),
    [
        ({"hook": "blocks.0.hook_x"}, "harvest", "`hook`: the model has no hook 'blocks.0.hook_x'"),
        ({"harvest.tokens": 10**6}, "harvest", "`harvest.tokens` must be at most "),
        (
            {"harvest.disk": 1e-5},
            "harvest",
            "`harvest.disk` must be at least 0.01 GB, 64 bytes for each of 1,200 tokens, got 1e-05",
        ),
        ({"train.saes.one.k": 25}, "train", "`train.saes.one.k` must satisfy 0 < k <= train.d_sae (24), got 25"),
        ({"focus": "three"}, "figures", "`focus` must be one of: one, two, got 'three'"),
        ({"inspect.answer": "xy"}, "inspect", "`inspect.answer` must be one token of the model, got 2"),
        ({"dashboards.latents": [24]}, "dashboards", "`dashboards.latents[0]` must satisfy 0 <= latent <"),
        ({"evals.release": "none"}, "evals", "no SAE of SAELens's directory matches release 'none'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    values: dict[str, object], stage: str, message: str, ran: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = (ran.root / LLM_PARAMS).read_bytes()
    ran.set_params(values, file=LLM_PARAMS)
    try:
        with pytest.raises(SystemExit) as end:
            ran.stage_here(monkeypatch, f"llm.{stage}")
    finally:
        (ran.root / LLM_PARAMS).write_bytes(original)
    assert message in str(end.value.code)


def test_matching_saes_are_listed_and_none_is_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["sbw", "matches", "gpt2-small-res-jb", r"blocks\.7\..*"])
    main()
    assert "gpt2-small-res-jb  blocks.7.hook_resid_pre" in capsys.readouterr().out
