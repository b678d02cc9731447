"""An audit by texts measures SAEs on what their model makes of them."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from torch import Tensor

from sbw.auditing.audit import audit
from sbw.llm.shards import Shards
from sbw.run.errors import UserError
from tests.tiny import HOOK, WIDTH, random_sae, write_model

TEXTS = [f"text {i}: {'abc' * (i % 7)} and {i * i}." for i in range(60)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, texts in three forms, and SAEs of the model."""
    place = tmp_path_factory.mktemp("texts")
    write_model(place / "model")
    (place / "texts").mkdir()
    pd.DataFrame({"text": TEXTS[:20], "other": 1}).to_parquet(place / "texts/a.parquet")
    (place / "texts/b.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS[20:59]))
    (place / "texts/c.txt").write_text(TEXTS[59])
    for threshold in (0.3, 0.5, 0.8):
        random_sae(threshold=threshold).save_model(place / f"saes/{threshold}")
    return place


def test_saes_are_measured_on_what_their_model_makes_of_texts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = audit(folder / "saes", texts=folder / "texts", model=str(folder / "model"))
    assert found.left_out == {}
    assert found.saes["rows"].nunique() == 1
    assert found.saes["rows"].iloc[0] > 1000
    assert found.saes["l0"].is_monotonic_decreasing
    assert capsys.readouterr().err.count("reads texts, at") == 1, "one harvest serves all SAEs of a hook"


def test_rows_limit_the_tokens_and_a_hook_can_be_named(folder: Path) -> None:
    options: dict[str, Any] = {"texts": folder / "texts", "model": str(folder / "model"), "rows": 1100}
    one, other = (audit(folder / "saes/0.3", **options, hook=hook) for hook in (HOOK, "blocks.1.hook_out"))
    assert one.saes["rows"].item() == other.saes["rows"].item() == 1100
    assert one.saes["l0"].item() != other.saes["l0"].item()


def test_a_hook_that_the_model_lacks_is_refused_if_named_and_else_leaves_the_sae_out(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts, model = folder / "texts", str(folder / "model")
    with pytest.raises(UserError, match=r"the model has no hook 'layers\.3'"):
        audit(folder / "saes", texts=texts, model=model, hook="layers.3")
    sae = random_sae()
    sae.cfg.metadata.hook_name = "layers.3"
    for name in ("a", "b"):
        sae.save_model(tmp_path / name)
    found = audit(tmp_path, texts=texts, model=model)
    assert ["the model has no hook 'layers.3'" in cause for cause in found.left_out.values()] == [True, True]
    assert capsys.readouterr().err.count("reads texts, at layers.3") == 2, "once named, once of both SAEs"


def test_a_model_is_fetched_once_for_all_its_hooks(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []

    def copied(name: str, place: Path) -> None:
        fetched.append(name)
        shutil.copytree(folder / "model", place)

    monkeypatch.setattr("sbw.llm.model.fetch_model", copied)
    for hook in (HOOK, "blocks.1.hook_out"):
        sae = random_sae()
        sae.cfg.metadata.hook_name = hook
        sae.save_model(tmp_path / hook)
    found = audit(tmp_path, texts=folder / "texts", model="mine/model")
    assert found.saes["rows"].notna().all()
    assert fetched == ["mine/model"]


def test_a_model_that_nobody_names_is_asked_for(folder: Path, tmp_path: Path) -> None:
    sae = random_sae()
    sae.cfg.metadata.model_name = None
    sae.save_model(tmp_path / "first")
    found = audit(tmp_path, texts=folder / "texts")
    assert found.left_out == {"first": "its files name no model: give `model`"}


def test_texts_that_are_none_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text(" \n")
    (tmp_path / "of_numbers.jsonl").write_text('{"number": 1}\n')
    (tmp_path / "other.csv").write_text("text\na\n")
    for name, cause in {
        "empty.txt": "holds no text",
        "of_numbers.jsonl": "has no column 'text', it has: number",
        "other.csv": r"must be of \.parquet, .*\.txt, or a folder of such files",
    }.items():
        with pytest.raises(UserError, match=cause):
            audit(folder / "saes", texts=tmp_path / name)
    with pytest.raises(FileNotFoundError, match="missing"):
        audit(folder / "saes", texts=tmp_path / "missing")


def test_the_activations_are_those_of_the_hook(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sbw.llm import activations

    kept, harvest = list[Tensor](), activations.harvest

    def keeping(model: Any, store: Any, contexts: Any, batch_size: int, out: Path) -> None:
        harvest(model, store, contexts, batch_size, out)
        kept.append(Shards(out).all())

    monkeypatch.setattr(activations, "harvest", keeping)
    texts = audit(folder / "saes", texts=folder / "texts/a.parquet", model=str(folder / "model"))
    assert kept[0].shape[1] == WIDTH
    np.save(tmp_path / "x.npy", kept[0].float().numpy())
    file = audit(folder / "saes", activations=tmp_path / "x.npy")
    pd.testing.assert_frame_equal(texts.saes, file.saes)


@pytest.mark.parametrize(("name", "on_hub"), [("gemma-2-2b", "google/gemma-2-2b"), ("mine/model", "mine/model")])
def test_a_model_by_its_name_in_transformer_lens_is_fetched_by_that_on_the_hub(
    name: str, on_hub: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def fetch(name: str, _: Path) -> None:
        asked.append(name)
        raise UserError("not fetched")

    monkeypatch.setattr("sbw.llm.model.fetch_model", fetch)
    with pytest.raises(UserError, match="not fetched"):
        audit(folder / "saes", texts=folder / "texts", model=name, hook=HOOK)
    assert asked == [on_hub]
