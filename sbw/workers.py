"""Several tasks at once, each in a process of its own."""

import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import torch

T = TypeVar("T")


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_parallel(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Run the tasks at once and return their results in order: the first here, each other in a forked process.

    Processes, since torch's threads wait for Python's lock between small operations; forked, since importing SAELens
    again would take seconds. In each, torch has one thread: its sums would depend on their number, and the threads that
    a process had before a fork are not there after it. Where the platform cannot fork, the tasks run one by one.

    Raises:
        Whatever a task raised; the other processes are stopped.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _run(tasks)
    finally:
        torch.set_num_threads(threads)


class Orphaned(BaseException):
    """The process that wanted a task's result is gone."""


_parent: int | None = None


def stop_if_orphaned() -> None:
    """End a forked task whose parent was killed: nothing that it does would be wanted."""
    if _parent is not None and os.getppid() != _parent:
        raise Orphaned


def _run(tasks: Sequence[Callable[[], T]]) -> list[T]:
    if "fork" not in multiprocessing.get_all_start_methods():
        return [task() for task in tasks]
    context = multiprocessing.get_context("fork")
    receivers, processes = [], []
    try:
        for task in tasks[1:]:
            receiver, sender = context.Pipe(duplex=False)
            process = context.Process(target=_send_result, args=(task, sender, os.getpid()), daemon=True)
            process.start()
            sender.close()
            receivers.append(receiver)
            processes.append(process)
        return [tasks[0](), *(_receive(receiver) for receiver in receivers)]
    finally:
        for process in processes:
            process.kill()
            process.join()


def _send_result(task: Callable[[], T], sender: Connection, parent: int) -> None:
    global _parent
    _parent = parent
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C is the parent's to report
    try:
        outcome: tuple[bool, T | Exception] = (True, task())
    except Orphaned:
        return
    except Exception as error:
        outcome = (False, error)
    # Plain pickle: multiprocessing's own would hand over tensors by file descriptors that end with this process.
    sender.send_bytes(pickle.dumps(outcome))


def _receive(receiver: Connection) -> Any:
    try:
        succeeded, outcome = pickle.loads(receiver.recv_bytes())
    except EOFError as error:
        raise RuntimeError("a training process ended without a result: it was killed, or ran out of memory") from error
    if not succeeded:
        raise outcome
    return outcome
