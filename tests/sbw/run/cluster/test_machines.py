"""A real Ray cluster of two machines gives one machine's results and runs each cell once, whatever dies."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Clone, stages_run
from tests.sbw.run.cluster.conftest import CELL, CREDENTIALS, RAY, Machines, set_remote, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a stage die with its parent")


@pytest.fixture(autouse=True)
def empty_diary(machines: Machines) -> None:
    for note in machines.diary.iterdir():
        note.unlink()


def test_cells_come_to_the_head_through_s3(machines: Machines, s3: str, tiny: Clone) -> None:
    tiny = Clone(tiny.root, {**RAY, **CREDENTIALS, "DIARY": str(machines.diary)})
    (tiny.root / "stages/cell.py").write_text(f"{CELL}# cells of another project\n")
    set_remote(tiny, "s3://results/sbw", s3)
    dry = tiny.sbw("cluster", "cell", "--address", machines.address, "--dry")
    assert "on the cluster: 4 stages: cell (1 2 3 4)" in dry
    assert not machines.noted("begun")
    printed = tiny.sbw("cluster", "cell", "--address", machines.address)
    assert "4 cells ran, 0 were in the remote, 0 failed" in printed
    assert stages_run(printed) == {"source", "table"}, "the head ran what is before and after the cells, and none"
    assert sorted(machines.noted("ended")) == ["1", "2", "3", "4"], "each cell ran once in all"
    source = (tiny.root / "data/source").read_text()
    assert (tiny.root / "data/table").read_text() == "".join(f"{source}{n}" for n in (1, 2, 3, 4))


def test_a_shared_folder_loses_nothing_when_the_head_dies_is_interrupted_and_loses_a_machine(
    machines: Machines, tiny: Clone, tmp_path: Path
) -> None:
    tiny = Clone(tiny.root, {**RAY, "DIARY": str(machines.diary)})
    (tmp_path / "shared").mkdir()
    set_remote(tiny, str(tmp_path / "shared"))
    for name in ("hold-2", "hold-3", "fail-4"):
        (machines.diary / name).touch()

    with _begun(3, tiny, machines) as first:
        first.kill()
    wait_until(lambda: not _cells_running(machines, "a", "b"), "the cells of a dead head have ended")
    assert machines.noted("ended") == ["1"]

    second = _begun(5, tiny, machines)
    second.send_signal(signal.SIGINT)
    printed, _ = second.communicate(timeout=120)
    assert second.returncode == 130
    assert "finished cells are in the remote, and the same command goes on" in printed
    wait_until(lambda: not _cells_running(machines, "a", "b"), "the cells of an interrupted head have ended")

    third = _begun(7, tiny, machines)
    machines.kill("b", "/raylet ")
    wait_until(lambda: not _cells_running(machines, "b"), "the cell of a dead machine has ended")
    for name in ("hold-2", "hold-3"):
        (machines.diary / name).unlink()
    printed, _ = third.communicate(timeout=500)
    assert "was lost with 127.0.0.3" in printed
    assert "cell 4 has a fault of its own" in printed
    assert "2 cells ran, 1 were in the remote, 1 failed; the same command runs them again: cell@4" in printed
    assert third.returncode == 1

    (machines.diary / "fail-4").unlink()
    printed = tiny.sbw("cluster", "cell", "--address", machines.address)
    assert "1 cells ran, 3 were in the remote, 0 failed" in printed
    assert sorted(machines.noted("ended")) == ["1", "2", "3", "4"], "each cell once in all"
    assert stages_run(printed) == {"table"}
    source = (tiny.root / "data/source").read_text()
    assert (tiny.root / "data/table").read_text() == "".join(f"{source}{n}" for n in (1, 2, 3, 4))
    assert stages_run(tiny.dvc("repro", "--pull")) == set()


def _begun(cells: int, clone: Clone, machines: Machines) -> subprocess.Popen[str]:
    """The command, once the diary has that many starts of cells: the held ones run then."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sbw", "cluster", "cell", "--address", machines.address],
        cwd=clone.root, env=clone.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which a shell has its background ignore
    )  # fmt: skip
    wait_until(lambda: len(machines.noted("begun")) == cells, f"{cells} cells have begun", process)
    return process


def _cells_running(machines: Machines, *names: str) -> list[int]:
    return [process for name in names for process in machines.running(name, "stages.cell")]
