"""Several tasks at once, each in a process of its own."""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

T = TypeVar("T")

_PR_SET_PDEATHSIG = 1


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_parallel(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Run the tasks at once and return their results in order: the first here, each other in a forked process.

    Processes, since torch's threads wait for Python's lock between small operations; forked, since importing SAELens
    again would take seconds. In each, torch has one thread: its sums would depend on their number, and the threads that
    a process had before a fork are not there after it. Where it cannot fork, the tasks run one by one.

    Raises:
        Whatever a task raised; the other processes are stopped.
    """
    with one_thread():
        return _run(tasks)


@contextmanager
def one_thread() -> Iterator[None]:
    """For as long as this lasts, torch has one thread in this process and in those it forks."""
    import torch  # not before: a stage knows this module before it imports anything slow

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def can_fork() -> bool:
    """Whether this process may have others that it forks: the platform can, and it is not itself one of those."""
    return "fork" in multiprocessing.get_all_start_methods() and not multiprocessing.current_process().daemon


def forked(target: Callable[..., None], *arguments: Any) -> BaseProcess:
    """A process begun as a copy of this one, which is not to outlive it."""
    process = multiprocessing.get_context("fork").Process(
        target=_as_child, args=(os.getpid(), target, arguments), daemon=True
    )
    process.start()
    return process


def die_with(parent: int) -> None:
    """Have Linux kill this process as soon as its parent ends, however that ends: nobody would want what it does.

    Elsewhere nothing is done, since nothing else has such a promise to make.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before we asked
            os.kill(os.getpid(), signal.SIGKILL)


def _run(tasks: Sequence[Callable[[], T]]) -> list[T]:
    if not can_fork():
        return [task() for task in tasks]
    context = multiprocessing.get_context("fork")
    receivers: list[Connection] = []
    processes: list[BaseProcess] = []
    try:
        for task in tasks[1:]:
            receiver, sender = context.Pipe(duplex=False)
            processes.append(forked(_send_result, task, sender))
            sender.close()
            receivers.append(receiver)
        return [tasks[0](), *(_receive(receiver) for receiver in receivers)]
    finally:
        for process in processes:
            process.kill()
            process.join()


def _as_child(parent: int, target: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C is the parent's to report
    target(*arguments)


def _send_result(task: Callable[[], T], sender: Connection) -> None:
    try:
        outcome: tuple[bool, T | Exception] = (True, task())
    except Exception as error:
        outcome = (False, error)
    sender.send(outcome)


def _receive(receiver: Connection) -> Any:
    try:
        succeeded, outcome = receiver.recv()
    except EOFError as error:
        raise RuntimeError("a training process ended without a result: it was killed, or ran out of memory") from error
    if not succeeded:
        raise outcome
    return outcome
