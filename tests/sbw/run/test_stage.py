"""Outputs are whole or not there at all; what is missing is named."""

from pathlib import Path

import pytest

from sbw.run.outputs import whole, whole_folder
from sbw.run.stage import one_of
from tests.conftest import Clone
from tests.pipeline.test_bad_input import refusal


def test_a_file_appears_when_its_block_ends_well(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "table"
    with whole(target) as path:
        path.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.write_text("old")
    folder.mkdir()
    (folder / "x").write_text("old")

    def fail() -> None:
        with whole(file) as path, whole_folder(folder) as inside:
            path.write_text("new")
            (inside / "x").write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (file.read_text(), (folder / "x").read_text()) == ("old", "old")
    assert sorted(tmp_path.iterdir()) == [file, folder]


def test_a_folder_replaces_the_old_one_and_what_a_killed_run_left(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "stale").touch()
    left = tmp_path / ".folder.partial"
    left.mkdir()
    (left / "half").touch()
    with whole_folder(folder) as inside:
        (inside / "x").touch()
    assert [path.name for path in folder.iterdir()] == ["x"]
    assert list(tmp_path.iterdir()) == [folder]


def test_one_of_lists_what_is_allowed() -> None:
    assert one_of("toy", "main", ["main", "small"]) == "main"
    with pytest.raises(ValueError, match="`toy` must be one of: main, small, got 'big'"):
        one_of("toy", "big", ["main", "small"])


@pytest.mark.parametrize(
    ("stage", "missing"),
    [
        ("train", "data/toy/main/toy.safetensors"),
        ("figures sweep", "data/metrics/sweep/projections.parquet"),
        ("report", "data/toy/main/stats.json"),
        ("llm.harvest", "data/llm/model"),
    ],
)
def test_what_other_stages_make_is_named_when_it_is_missing(
    checkout: Clone, stage: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = f": {missing} is not there; `dvc repro` runs the stages that make it"
    assert refusal(checkout, stage.split(), monkeypatch).endswith(told)


def test_a_missing_file_of_params_is_named(fresh: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    (fresh.root / "params.yaml").unlink()
    assert refusal(fresh, ["train"], monkeypatch).endswith(": params.yaml is not there")
