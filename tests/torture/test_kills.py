"""Whatever is killed, whenever: `make repro` ends as an undisturbed run, and repeats nothing finished."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from sbw.run.check import RWLOCK, remove_broken
from sbw.run.processes import processors
from tests.conftest import Clone, lock, stages_run
from tests.processes import working_in

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a stage die with its parent")

TARGETS = ["collect_l0", "figures@pretrained", "figures@sweep"]
OUTPUTS = [
    "data/pretrained",
    "data/toy/main",
    "data/sae/sweep",
    "data/metrics/sweep",
    "data/sweep.json",
    "plots/sweep/pairwise_cosine.svg",
    "plots/pdf/pretrained/pretrained_l0.pdf",
]
SIGNALS = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
KILLS = {False: 3, True: 10}
LATEST_KILL = 12.0  # seconds after the start: importing SAELens takes about half of them


def test_a_killed_run_ends_as_an_undisturbed_one(fresh: Clone, undisturbed: Clone, life: int, torture: bool) -> None:
    draw, kills, repaired, status = random.Random(life), 0, 0, 1
    targets = TARGETS if torture else TARGETS[:1]
    while status:
        repaired += remove_broken(fresh.root / RWLOCK)
        finished = set(lock(fresh))
        kill_after = draw.uniform(0, LATEST_KILL) if kills < KILLS[torture] else None
        status, output = _repro(fresh, targets, kill_after, draw)
        kills += status != 0
        assert not finished & stages_run(output), f"finished stages are redone:\n{output}"
        assert not working_in(fresh.root), "no process outlives the run"
        assert kills <= KILLS[torture], output
    for name in OUTPUTS if torture else OUTPUTS[:1]:
        fresh.run("diff", "-r", name, str(undisturbed.root / name))
    reference = lock(undisturbed)
    assert all(reference[name] == entry for name, entry in lock(fresh).items())
    assert not list(fresh.root.rglob("*.partial"))
    print(f"life {life}: {kills} kills survived, {repaired} broken locks of DVC removed")


@pytest.mark.skipif(processors() < 2, reason="one processor trains alone")
def test_a_training_ends_when_any_of_its_processes_is_killed(
    fresh: Clone, life: int, torture: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.set_params({"sweep.seeds": [0, 1], "training.samples": 10**9})
    fresh.stage_here(monkeypatch, "synthesize", "main")
    for killed in range(3) if torture else [life % 3]:  # two that train, and one that draws for them
        command = [sys.executable, "-m", "stages.sweep", "near"]
        with subprocess.Popen(
            command, cwd=fresh.root, env=fresh.environment, stderr=subprocess.PIPE, text=True
        ) as stage:
            while len(processes := _children(stage.pid)) < 3 and stage.poll() is None:
                time.sleep(0.05)
            os.kill(sorted(processes)[killed], signal.SIGKILL)
            try:
                _, printed = stage.communicate(timeout=60)
            finally:
                stage.kill()
        assert (stage.returncode, printed) == (
            1, "python -m stages.sweep: a process was killed, or ran out of memory\n"
        )  # fmt: skip
        assert not [pid for pid in processes if Path(f"/proc/{pid}").exists()], "no process outlives the training"
        assert not list((fresh.root / "data/sae/sweep").iterdir()), "nothing is saved"


def _repro(clone: Clone, targets: list[str], kill_after: float | None, draw: random.Random) -> tuple[int, str]:
    """A run that is killed, or a part of it, after so many seconds: its exit status, and what it printed."""
    with TemporaryFile("w+") as printed:
        process = subprocess.Popen(
            ["dvc", "repro", *targets], cwd=clone.root, env=clone.environment, stdout=printed, stderr=subprocess.STDOUT,
            start_new_session=True, preexec_fn=_may_be_interrupted,
        )  # fmt: skip
        try:
            process.wait(kill_after)
        except subprocess.TimeoutExpired:
            _kill(process.pid, draw)
        process.wait(timeout=900)
        _wait_for_the_end_of(clone.root)
        printed.seek(0)
        return process.returncode, printed.read()


def _may_be_interrupted() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell has what it starts in the background ignore it


def _kill(dvc: int, draw: random.Random) -> None:
    number, stages = draw.choice(SIGNALS), _children(dvc)
    match draw.choice(["stage", "dvc", "group"]):
        case "stage" if stages:
            os.kill(stages[0], number)
        case "dvc" if number != signal.SIGINT:  # which it ignores while a stage runs
            os.kill(dvc, number)
        case _:
            os.killpg(dvc, number)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:  # it has just ended
        return []


def _wait_for_the_end_of(folder: Path) -> None:
    deadline = time.monotonic() + 10
    while working_in(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
