"""Runs cells on the machines of a Ray cluster, restarts those of dead machines, and reports."""

import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError, TaskCancelledError

from sbw.params.cluster import Cluster
from sbw.run import processes as workers
from sbw.run.cluster import node
from sbw.run.cluster.faults import explain, last_lines
from sbw.run.cluster.node import Job, Outcome, run_cell
from sbw.run.cluster.progress import Progress
from sbw.run.errors import UserError


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Connect to a Ray cluster (`auto`: this machine's), or raise a UserError; the end stops what still runs."""
    try:
        host, colon, port = address.rpartition("//")[2].rpartition(":")
        if colon:  # Ray would retry for minutes
            socket.create_connection((host, int(port)), timeout=10).close()
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f"no Ray cluster at `{address}` (`ray start --head` starts one): {error}") from error
    for module in (sys.modules[__name__], node, workers):  # other machines have no copy
        ray.cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        ray.shutdown()


def machines_with_room(params: Cluster) -> int:
    """Number of machines that could run a cell if they were idle."""
    wanted = {"CPU": params.cpus, "GPU": params.gpus, "memory": params.memory * 1e9}
    alive = [machine["Resources"] for machine in ray.nodes() if machine["Alive"]]
    return sum(all(has.get(name, 0) >= amount for name, amount in wanted.items()) for has in alive)


def run_cells(cells: Sequence[str], job: Job, params: Cluster, logs: Path, report: Callable[[str], None]) -> Progress:
    """Run each cell on a machine that has room, and write its log.

    A cell whose machine dies is started again, up to `params.tries` times. One that fails stops no other.

    Raises:
        UserError: the remote failed. Running cells have ended, no other was started, and the machines keep what they
            could not push.
    """
    run = _Run(job, params, logs, report, Progress(len(cells), time.monotonic()))
    for cell in cells:
        run.submit(cell)
    while run.tasks:
        ready, _ = ray.wait(list(run.tasks), num_returns=1)
        run.take(ready[0])
    if run.cause:
        raise UserError(run.cause)
    return run.progress


class _Run:
    """The running cells, each a generator of Ray that yields a machine's name and then an outcome."""

    def __init__(
        self, job: Job, params: Cluster, logs: Path, report: Callable[[str], None], progress: Progress
    ) -> None:
        self.job, self.tries, self.logs, self.report, self.progress = ray.put(job), params.tries, logs, report, progress
        self.tasks: dict[Any, str] = {}
        self.started: Counter[str] = Counter()
        self.cause = ""
        self.remote_task = ray.remote(
            num_cpus=params.cpus,
            num_gpus=params.gpus,
            memory=params.memory * 1e9,
            max_retries=0,
            num_returns="streaming",
        )(_on_a_machine)

    def submit(self, cell: str) -> None:
        self.started[cell] += 1
        self.tasks[self.remote_task.remote(self.job, cell)] = cell

    def take(self, task: Any) -> None:
        cell = self.tasks.pop(task)
        try:
            given = ray.get(next(task))
        except (StopIteration, TaskCancelledError):
            return
        except RayTaskError as error:
            self.end(cell, Outcome("failed", str(error), {}))
        except RayError as error:
            self.lost(cell, error)
        else:
            self.tasks[task] = cell
            if isinstance(given, str):
                self.progress.running[cell] = given
            else:
                self.end(cell, given)
        self.report(self.progress.line(time.monotonic()))

    def end(self, cell: str, outcome: Outcome) -> None:
        machine = self.progress.running.pop(cell, "no machine")
        parts = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in outcome.seconds.items())
        self.log(cell, f"{outcome.kind} on {machine}: {parts}\n{outcome.log}")
        if outcome.kind == "ran":
            self.progress.ran[machine] += 1
        elif outcome.kind == "found":
            self.progress.found += 1
        elif outcome.kind == "remote":
            self.stop(f"the remote, on {machine} with `{cell}`: {explain(outcome.log)}")
        else:
            self.progress.failed.append(cell)
            self.report(f"`{cell}` failed on {machine}; the end of {self.path(cell)}:\n{last_lines(outcome.log)}")

    def stop(self, cause: str) -> None:
        """Start no more cells; those that run may end."""
        self.cause = self.cause or cause
        self.report(f"{cause}\nno more cells are started, those that run may end")
        for task, cell in self.tasks.items():
            if cell not in self.progress.running:
                ray.cancel(task)

    def lost(self, cell: str, error: RayError) -> None:
        machine = self.progress.running.pop(cell, "a machine")
        cause = type(error).__name__
        self.log(cell, f"lost: {machine} or its worker died ({cause})\n")
        if self.started[cell] < self.tries and not self.cause:
            self.report(f"`{cell}` was lost with {machine} ({cause}): start {self.started[cell] + 1} of {self.tries}")
            self.submit(cell)
        else:
            self.progress.failed.append(cell)
            self.report(f"`{cell}` was lost {self.started[cell]} times, the last with {machine} ({cause}): given up")

    def log(self, cell: str, text: str) -> None:
        with self.path(cell).open("a") as file:
            file.write(text)

    def path(self, cell: str) -> Path:
        self.logs.mkdir(exist_ok=True)
        return self.logs / f"{cell.replace('/', '_')}.log"


def _on_a_machine(job: Job, cell: str) -> Any:
    yield from run_cell(job, cell, ray.util.get_node_ip_address())
