"""What does a sweep on many machines cost beside its cells? Measured on this one, and simulated for a hundred.

    python -m tests.benchmarks.cluster measure --cells 10 100 300
    python -m tests.benchmarks.cluster scale --seconds 20
    python -m tests.benchmarks.cluster simulate

`measure` has the processor time of DVC's commands on pipelines of that many cells that do nothing, through a shared
folder, or a server of S3 on this machine (`--s3`). `scale` runs cells, each so many seconds of one processor, on a
Ray cluster of one machine and of two. `simulate` puts what was measured into a thousand cells on a hundred machines,
of which some die.
"""

import argparse
import heapq
import random
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

from tests.conftest import Clone
from tests.sbw.run.cluster.conftest import CREDENTIALS, RAY, Machines, copy_project, s3_server, set_remote

PIPELINE = """stages:
  source:
    cmd: mkdir -p data && echo source > data/source
    deps:
      - stages/__init__.py
    outs:
      - data/source
  cell:
    matrix:
      n: [{cells}]
    cmd: {cmd}
    deps:
      - data/source
    outs:
      - data/cells/${{item.n}}
"""
NOTHING = "mkdir -p data/cells && cp data/source data/cells/${item.n}"
BUSY = "mkdir -p data/cells && python -m stages.busy {seconds} && cp data/source data/cells/${{item.n}}"
BUSY_STAGE = """
import sys, time
while time.process_time() < float(sys.argv[1]):
    sum(range(100_000))
"""


class Costs(NamedTuple):
    """Seconds: `start`, `notice` and `request` are assumed, the others were measured by `measure`."""

    start: float = 60.0
    """From the command until cells begin: the plan, sources sent, Ray's workers, a clone on each machine."""
    cell: float = 2.0
    """Of DVC's two commands for a cell, in a pipeline of a few stages."""
    stage: float = 0.004
    """What each further stage of the pipeline adds to that."""
    request: float = 0.001
    """What each cell whose results are there already adds, since `dvc repro --pull` fetches every run-cache entry."""
    adopt: float = 0.058
    """Of the last `dvc repro --pull` on the head, for each cell."""
    adopt_square: float = 0.00102
    """… and for each cell and stage, since DVC writes all of dvc.lock after each."""
    notice: float = 30.0
    """Until a dead machine's cell is begun elsewhere."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    measured = commands.add_parser("measure")
    measured.add_argument("--cells", type=int, nargs="+", default=[10, 100, 300])
    measured.add_argument("--s3", action="store_true")
    scaled = commands.add_parser("scale")
    scaled.add_argument("--cells", type=int, default=8)
    scaled.add_argument("--seconds", type=float, default=20)
    commands.add_parser("simulate")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sbw", dir="/tmp") as folder:
        if arguments.command == "measure":
            measure(Path(folder), arguments.cells, arguments.s3)
        elif arguments.command == "scale":
            scale(Path(folder), arguments.cells, arguments.seconds)
        else:
            simulate()


def measure(folder: Path, sizes: list[int], s3: bool) -> None:
    """Print the seconds of each command, one line per size."""
    print(f"{'cells':>8}{'status':>10}{'a cell: repro':>15}{'… all there':>13}{'push':>8}{'head: last repro':>18}")
    with s3_server() if s3 else nullcontext("") as endpoint:
        for cells in sizes:
            place = folder / f"{cells}"
            (place / "remote").mkdir(parents=True)
            remote = (f"s3://results/{cells}", endpoint) if s3 else (str(place / "remote"), "")
            row = measured(place, project(place / "head", cells, NOTHING, *remote))
            print(f"{cells:8}{row[0]:10.1f}{row[1]:15.1f}{row[2]:13.1f}{row[3]:8.1f}{row[4]:18.1f}", flush=True)


def measured(place: Path, head: Clone) -> list[float]:
    """Seconds of the head's status, a cell's repro as the first and as the last, its push, the head's last repro."""
    head.dvc("repro", "source")
    head.dvc("push", "source")
    first = node_of(head, place / "first")
    status = timed(head, "status", "--json", "--with-deps", "cell")
    repro = timed(first, "repro", "--single-item", "--pull", "cell@0")
    push = timed(first, "push", "--run-cache", "cell@0")
    all_others = Clone(head.copy(place / "others").root, head.variables)
    all_others.dvc("repro")
    all_others.dvc("push", "--run-cache")
    found = timed(node_of(head, place / "last"), "repro", "--single-item", "--pull", "cell@0")
    return [status, repro, found, push, timed(head, "repro", "--pull")]


def node_of(head: Clone, root: Path) -> Clone:
    """A clone with the lock of the head, as a machine has it."""
    head.run("git", "clone", "-q", str(head.root), str(root))
    shutil.copy2(head.root / "dvc.lock", root)
    return Clone(root, head.variables)


def timed(clone: Clone, *command: str) -> float:
    """Seconds of processor time of a DVC command, which other work on this machine hardly changes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    clone.dvc(*command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def scale(folder: Path, cells: int, cell_seconds: float) -> None:
    """Print how long cells of so many seconds take on one machine of one processor, and on two."""
    for names in (["a"], ["a", "b"]):
        place = folder / "".join(names)
        (place / "remote").mkdir(parents=True)
        clone = project(place / "head", cells, BUSY.format(seconds=cell_seconds), str(place / "remote"))
        with cluster(names) as machines:
            start = time.monotonic()
            clone.sbw("cluster", "cell", "--address", machines.address)
            took = time.monotonic() - start
        print(f"{len(names)} machines: {took:.0f} s in all")
        for path in sorted((clone.root / "cluster_logs").iterdir()):
            print(f"  {path.stem} {path.read_text().splitlines()[0]}", flush=True)


def simulate() -> None:
    """Print the wall time of a thousand cells on a hundred machines, one cell at a time each, against the ideal."""
    print(f"{'cell':>8}{'remote':>10}{'ideal':>8}{'5 % die':>10}{'none dies':>11}{'head, last':>12}  (minutes)")
    for minutes in (2, 10, 60):
        for name, request in (("folder", 0.001), ("S3", 0.03)):
            costs = Costs(request=request)
            runs = [wall(1000, 100, 60 * minutes, costs, 0.05, seed) for seed in range(20)]
            alive = wall(1000, 100, 60 * minutes, costs, 0.0, 0)
            last = costs.adopt * 1000 + costs.adopt_square * 1000**2
            row = [60 * minutes * 10, statistics.median(runs), alive, last]
            print(
                f"{minutes:6} m{name:>10}"
                + "".join(f"{value / 60:{w}.1f}" for value, w in zip(row, (8, 10, 11, 12), strict=True))
            )


def wall(cells: int, machines: int, cell_seconds: float, costs: Costs, dying: float, seed: int) -> float:
    """Seconds until the last cell is done, where a share of the machines dies for good, at any time of the run."""
    draw = random.Random(seed)
    ideal = cells * cell_seconds / machines
    death = [draw.uniform(0, ideal) if i < dying * machines else float("inf") for i in range(machines)]
    free = [(costs.start, i) for i in range(machines)]
    heapq.heapify(free)
    waiting = [0.0] * cells
    finished: list[float] = []
    while waiting:
        begin, machine = heapq.heappop(free)
        begin = max(begin, heapq.heappop(waiting))
        there = sum(end <= begin for end in finished)
        overhead = costs.cell + costs.stage * cells + costs.request * there
        end = begin + overhead + cell_seconds * draw.uniform(0.9, 1.1)
        if end < death[machine]:
            finished.append(end)
            heapq.heappush(free, (end, machine))
        else:
            heapq.heappush(waiting, max(begin, death[machine]) + costs.notice)
    return max(finished)


def project(root: Path, cells: int, cmd: str, url: str, endpoint: str = "") -> Clone:
    """A project of so many cells, with everything committed."""
    clone = Clone(root, {**RAY, **CREDENTIALS})
    copy_project(clone)
    (root / "stages/busy.py").write_text(BUSY_STAGE)
    (root / "dvc.yaml").write_text(PIPELINE.format(cells=", ".join(map(str, range(cells))), cmd=cmd))
    clone.run("git", "init", "-q")
    set_remote(clone, url, endpoint)
    return clone


@contextmanager
def cluster(names: list[str]) -> Iterator[Machines]:
    """Machines of one processor each, on the loopback address."""
    machines = Machines(Path(tempfile.mkdtemp(prefix="ray", dir="/tmp")))
    try:
        machines.start(names[0], "127.0.0.2", "--head", "--port", "0", "--include-dashboard=false")
        for i, name in enumerate(names[1:]):
            machines.start(name, f"127.0.0.{i + 3}", "--address", machines.address)
        yield machines
    finally:
        for name in names:
            machines.kill(name)
        shutil.rmtree(machines.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
