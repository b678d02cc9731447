"""Runs a cell on a machine of the cluster: a clone at the commit, `dvc repro --single-item --pull`, `dvc push`.

Ray sends this module and `processes` to the machines, which have no copy of the project.

    folder/                 `cluster.folder` of params.yaml
      files/                DVC's cache, one per machine
      unsent/COMMIT/CELL/   the run-cache entry of a cell whose results are not in the remote yet
      lane-0/               one lane per cell that runs at the same time
        clone/              the project at the commit
        cache/              files -> ../../files, and a run cache of what the remote has and what is unsent
        outbox/             the same, with the one entry to push
        job                 the name of the clone's job; absent while a cell runs, so that a kill is seen
"""

import fcntl
import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from sbw.run.processes import die_with


class Job(NamedTuple):
    """What all cells of a run share."""

    commit: str
    bundle: bytes
    """A git bundle with that commit."""
    locks: dict[str, bytes]
    """The dvc.lock files of the head, by their paths, which have the hashes of the cells' dependencies; and the file
    that opens pipelines beside the main one."""
    shared_folder: str | None
    """The remote, if it is a folder: a machine without that mount must not make one."""
    folder: str
    cpus: int


class Outcome(NamedTuple):
    """How a cell ended on a machine."""

    kind: str
    """`ran`; `found`: its results are in the remote; `failed`: the cell; `remote`: DVC or its remote failed."""
    log: str
    """All output."""
    seconds: dict[str, float]
    """Wall time of `prepare`, `repro` and `push`."""


class Lane(NamedTuple):
    """A place for a cell, held as long as a process has its lock open."""

    folder: Path
    number: int
    lock: int


def run_cell(job: Job, cell: str, machine: str) -> Iterator[str | Outcome]:
    """Yield `machine` at once, then the `Outcome`; Ray reports dead processes to the head."""
    yield machine
    seconds: dict[str, float] = {}
    try:
        with _free_lane(Path.home() / Path(job.folder).expanduser()) as lane:
            outcome = _run(job, cell, lane, seconds)
    except (OSError, subprocess.SubprocessError) as error:
        outcome = Outcome("failed", f"{machine} could not start `{cell}`: {error}", seconds)
    yield outcome


def _run(job: Job, cell: str, lane: Lane, seconds: dict[str, float]) -> Outcome:
    with _timed(seconds, "prepare"):
        _prepare(job, lane)
    if job.shared_folder and not Path(job.shared_folder).is_dir():
        return Outcome(
            "remote", f"ERROR: the remote's folder {job.shared_folder} was not found: is it mounted?", seconds
        )
    with _timed(seconds, "repro"):
        repro = _dvc(job, lane, "cache", "repro", "--single-item", "--pull", cell)
    ran, log = "Running stage '" in repro.stdout, repro.stdout
    kind = "ran" if ran else "found"
    if repro.returncode:
        kind = "failed" if ran else "remote"
    elif _fill_outbox(job, cell, lane, ran):
        with _timed(seconds, "push"):
            push = _dvc(job, lane, "outbox", "push", "--run-cache", cell)
        log += push.stdout
        if push.returncode:
            kind = "remote"
        else:
            shutil.rmtree(_unsent(job, lane) / _file_name(cell))
    (lane.folder / "job").write_text(_name(job))
    return Outcome(kind, log, seconds)


@contextmanager
def _free_lane(folder: Path) -> Iterator[Lane]:
    """The first free lane; the DVC of a killed worker may hold one for a moment longer."""
    for number in itertools.count():
        lane = folder / f"lane-{number}"
        lane.mkdir(parents=True, exist_ok=True)
        with (lane / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield Lane(lane, number, lock.fileno())
            return


def _prepare(job: Job, lane: Lane) -> None:
    """Make a clone at the commit with the head's locks, or keep that of this job if no kill has left it in disorder."""
    clone, of = lane.folder / "clone", lane.folder / "job"
    in_order = of.exists() and of.read_text() == _name(job)
    of.unlink(missing_ok=True)
    if not in_order:
        shutil.rmtree(clone, ignore_errors=True)
        bundle = lane.folder / "bundle"
        bundle.write_bytes(job.bundle)
        _git(lane, "clone", "--quiet", "--no-checkout", str(bundle), str(clone))
        _git(lane, "-C", str(clone), "checkout", "--quiet", "--detach", job.commit)
        bundle.unlink()
    for path, content in job.locks.items():
        (clone / path).write_bytes(content)
    (lane.folder.parent / "files").mkdir(exist_ok=True)
    for cache in ("cache", "outbox"):
        shutil.rmtree(lane.folder / cache, ignore_errors=True)
        (lane.folder / cache / "runs").mkdir(parents=True)
        (lane.folder / cache / "files").symlink_to(lane.folder.parent / "files")
    for entry in _unsent(job, lane).glob("*"):
        shutil.copytree(entry, lane.folder / "cache/runs", dirs_exist_ok=True)


def _fill_outbox(job: Job, cell: str, lane: Lane, ran: bool) -> bool:
    """Put the run-cache entry of the cell into the outbox if the remote lacks it; returns whether it does.

    DVC pushes and pulls the whole run cache that it sees: a thousand cells would send a million entries.
    """
    runs, unsent = lane.folder / "cache/runs", _unsent(job, lane) / _file_name(cell)
    if ran:
        newest = max(runs.glob("*/*/*"), key=lambda entry: entry.stat().st_mtime_ns)
        copy = unsent / newest.relative_to(runs)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(newest, copy)
    if unsent.exists():
        shutil.copytree(unsent, lane.folder / "outbox/runs", dirs_exist_ok=True)
    return unsent.exists()


def _unsent(job: Job, lane: Lane) -> Path:
    return lane.folder.parent / "unsent" / job.commit


def _file_name(cell: str) -> str:
    return cell.replace("/", "_")


def _dvc(job: Job, lane: Lane, cache: str, *command: str) -> subprocess.CompletedProcess[str]:
    (lane.folder / "clone/.dvc/config.local").write_text(f"[cache]\n    dir = {lane.folder / cache}\n")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    parent, processors = os.getpid(), _processors(job, lane)

    def in_the_child() -> None:
        die_with(parent)
        if processors:
            os.sched_setaffinity(0, processors)

    return subprocess.run(
        [sys.executable, "-m", "dvc", *command],
        cwd=lane.folder / "clone",
        env={**os.environ, "PATH": path, "MPLBACKEND": "Agg", "HF_HUB_OFFLINE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        pass_fds=[lane.lock],
        preexec_fn=in_the_child,
    )


def _processors(job: Job, lane: Lane) -> set[int]:
    """The lane's own processors, since a cell uses all it sees; empty if there are more lanes than processors."""
    if not hasattr(os, "sched_getaffinity"):
        return set()
    all_of_them = sorted(os.sched_getaffinity(0))
    of_lane = all_of_them[lane.number * job.cpus : (lane.number + 1) * job.cpus]
    return set(of_lane) if len(of_lane) == job.cpus else set()


def _git(lane: Lane, *command: str) -> None:
    done = subprocess.run(["git", *command], cwd=lane.folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"git {command[0]}: {done.stderr.strip()}")


def _name(job: Job) -> str:
    locks = sha256(b"".join(job.locks[path] for path in sorted(job.locks)))
    return f"{job.commit} {locks.hexdigest()}"


@contextmanager
def _timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    start = time.monotonic()
    try:
        yield
    finally:
        seconds[part] = time.monotonic() - start
