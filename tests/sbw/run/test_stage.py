"""Outputs are complete or absent; a missing file is named with its stage."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sbw.run.errors import UserError
from sbw.run.outputs import whole, whole_folder
from sbw.run.stage import one_line_errors, one_of
from sbw.run.writers import writer_of
from sbw.saes.disk import save_sae
from sbw.saes.untrained import initial_sae
from tests.conftest import ROOT, Clone
from tests.pipeline.test_bad_input import refusal
from tests.pipelines import every_pipeline


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


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (lambda: np.ones(2) + np.ones(3), ValueError, "operands could not be broadcast"),
        (lambda: {}["k"], KeyError, "k"),
        (lambda: os.read(-1, 1), OSError, "Bad file descriptor"),
    ],
)
def test_a_fault_of_ours_keeps_its_traceback(fault: Callable[[], object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message), one_line_errors("sbw"):
        fault()


def _one_line(block: Callable[[], object]) -> object:
    with pytest.raises(SystemExit) as end, one_line_errors("sbw"):
        block()
    return end.value.code


def test_a_users_mistake_and_what_a_file_system_says_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert _one_line(lambda: one_of("toy", "big", ["main"])) == "sbw: `toy` must be one of: main, got 'big'"
    assert _one_line((tmp_path / "nowhere").read_text) == f"sbw: {tmp_path}/nowhere: not found"
    assert _one_line((tmp_path / "file/x").read_text) == f"sbw: {tmp_path}/file/x: Not a directory"


@pytest.mark.parametrize("lines", [2, 200_000])
def test_a_closed_pipe_ends_it_without_a_word(lines: int) -> None:
    code = f"""
import sys
from sbw.run.stage import one_line_errors
with one_line_errors("sbw"):
    print("x", flush=True)
    sys.stdin.read()
    print("x\\n" * {lines})
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdin
        assert run.stdout
        assert run.stderr
        assert run.stdout.readline() == b"x\n"
        run.stdout.close()
        run.stdin.close()
        assert run.stderr.read() == b""
    assert run.returncode == 1


def test_a_pipeline_that_is_not_ours_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dvc.yaml").write_text("plots: [x]\n")
    monkeypatch.chdir(tmp_path)
    assert _one_line(Path("nowhere").read_text) == "sbw: nowhere: not found"


def test_a_full_disk_names_the_output_and_not_what_is_written_first(tmp_path: Path) -> None:
    def fill() -> None:
        with whole_folder(tmp_path / "full"), Path("/dev/full").open("w") as full:
            full.write("x" * 100_000)

    with pytest.raises(UserError, match=f"^{tmp_path}/full: could not be written: No space left on device$"):
        fill()


@pytest.mark.parametrize(
    ("stage", "missing", "by"),
    [
        ("train", "data/toy/main/toy.safetensors", "synthesize"),
        ("llm.harvest", "data/llm/model", "stages/llm/dvc.yaml:fetch"),
    ],
)
def test_a_missing_output_is_named_with_the_stage_that_makes_it(
    fresh: Clone, stage: str, missing: str, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = refusal(fresh, stage.split(), monkeypatch)
    assert message.endswith(f": {missing}: not found; `dvc repro {by}` makes it")


def test_a_missing_file_of_the_users_is_named_alone(fresh: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh.set_params({"audit.folder": "data/my_saes"})
    assert refusal(fresh, ["audit"], monkeypatch).endswith(": data/my_saes: not found")
    (fresh.root / "data/my_saes/l0=5").mkdir(parents=True)
    save_sae(initial_sae(5, 10, 8, 0), fresh.root / "data/my_saes/l0=5")
    weights = "data/my_saes/l0=5/sae_weights.safetensors"
    (fresh.root / weights).unlink()
    assert refusal(fresh, ["audit"], monkeypatch).endswith(f": {weights}: not found")


def test_a_missing_file_of_params_is_named(fresh: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    (fresh.root / "params.yaml").unlink()
    assert refusal(fresh, ["train"], monkeypatch).endswith(": params.yaml: not found")


@pytest.mark.filterwarnings("ignore")
def test_each_stage_is_named_as_the_writer_of_its_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    with every_pipeline() as repo:
        monkeypatch.chdir(repo.root_dir)  # whence DVC names them
        group = {stage.addressing.partition("@")[0]: stage for stage in repo.index.stages}
    monkeypatch.chdir(ROOT)
    for name, one in group.items():
        *_, last = (out for out in one.outs if not out.metric)  # some of which are templates as a whole
        assert writer_of(f"{last}/x") == name
    assert writer_of("data/my_saes") is None
