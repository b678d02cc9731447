"""A real Ray cluster of two machines gives one machine's results and runs each cell once, whatever dies."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import Clone, lock, stages_run
from tests.sbw.run.cluster.conftest import CREDENTIALS, RAY, Machines, set_remote, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a stage die with its parent")
TABLES = ["data/sae/sweep", "data/metrics/sweep", "data/sweep.json", "plots/sweep/pairwise_cosine.svg"]


def test_a_sweep_through_s3_is_one_machines_to_the_byte(
    machines: Machines, s3: str, reproduced: Clone, undisturbed: Clone
) -> None:
    clone = Clone(reproduced.root, {**RAY, **CREDENTIALS})
    _forget(clone, "sweep@", "evaluate@sweep")
    set_remote(clone, "s3://results/sbw", s3)
    printed = clone.sbw("cluster", "sweep", "--address", machines.address)
    assert "2 cells ran, 0 were in the remote, 0 failed" in printed
    assert stages_run(printed) == {"evaluate@sweep"}, "the head ran what follows the cells, and no cell"
    logs = [path.read_text() for path in sorted((clone.root / "cluster_logs").iterdir())]
    assert [sorted(stages_run(log)) for log in logs] == [["sweep@low"], ["sweep@near"]], "each cell ran once in all"
    for name in TABLES:
        clone.run("diff", "-r", name, str(undisturbed.root / name))
    assert lock(clone) == lock(undisturbed)


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


def _forget(clone: Clone, *beginnings: str) -> None:
    """As if these stages had never run here: neither their outputs, nor the lock, nor the run cache know of them."""
    path, yaml = clone.root / "dvc.lock", YAML()
    document = yaml.load(path)
    for name in [name for name in document["stages"] if name.startswith(beginnings)]:
        for out in document["stages"].pop(name)["outs"]:
            place = clone.root / out["path"]
            shutil.rmtree(place) if place.is_dir() else os.unlink(place)
    yaml.dump(document, path)
    shutil.rmtree(clone.root / ".dvc/cache/runs")
