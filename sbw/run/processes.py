"""Work dealt out to processes, none of which outlives the one that waits for it."""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence, Set
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from sbw.run.errors import UserError

T = TypeVar("T")
R = TypeVar("R")

_PR_SET_PDEATHSIG = 1
_LOOK_EVERY = 0.1  # seconds


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processes_on(device: str) -> int:
    """How many processes share work on a device: one per processor on a CPU, one alone on a GPU."""
    return processors() if device == "cpu" else 1


def can_fork() -> bool:
    """Whether this process may have others that it forks: the platform can, and it is not itself one of another's."""
    return "fork" in multiprocessing.get_all_start_methods() and multiprocessing.parent_process() is None


def map_processes(
    function: Callable[[T], R],
    items: Sequence[T],
    processes: int | None = None,
    *,
    label: str | None = None,
    unit: str = "item",
    meanwhile: Callable[[], None] | None = None,
) -> list[R]:
    """`function` of each item, in the order of the items; forked processes take them in turn.

    Processes, since torch's threads wait for Python's lock between small operations; forked, since importing SAELens
    again would take seconds, and a fork has the function and the items without pickling. In each, torch has one thread:
    its sums would depend on their number, and the threads that a process had before a fork are not there after it. One
    process alone is this one, as where it cannot fork.

    Args:
        function: what is computed of an item.
        items: what it is computed of.
        processes: how many at most, by default one per processor. Items that wait for each other need one each.
        label: of a progress bar of the items done. Without it there is none, and `function` may show one (`quiet`).
        unit: what the bar calls an item.
        meanwhile: called here several times per second while processes work, and when they are done.

    Raises:
        UserError: a process was killed.
        Whatever `function` raised first; the other processes are killed.
    """
    from tqdm import tqdm  # not before: a stage knows this module before it imports anything slow

    count = min(len(items), processes or processors())
    with one_thread(), tqdm(total=len(items), desc=label, unit=unit, disable=None if label else True) as bar:
        if count > 1 and can_fork():
            return _in_pool(function, items, count, bar, meanwhile)
        results = []
        for item in items:
            results.append(function(item))
            bar.update()
        return results


def quiet() -> bool | None:
    """tqdm's `disable` for a bar of this process: silent where another process shows its own, or without a terminal."""
    return _Worker.quiet or None


@contextmanager
def one_thread() -> Iterator[None]:
    """For as long as this lasts, torch has one thread in this process and in those it forks."""
    import torch  # as tqdm

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def die_with(parent: int) -> None:
    """Have Linux kill this process as soon as its parent ends, however that ends: nobody would want what it does.

    Elsewhere nothing is done, since nothing else has such a promise to make.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before we asked
            os.kill(os.getpid(), signal.SIGKILL)


class _Worker:
    """What a process of a pool knows."""

    function: Callable[[Any], Any]
    items: Sequence[Any]
    quiet = False


def _in_pool(
    function: Callable[[T], R], items: Sequence[T], count: int, bar: Any, meanwhile: Callable[[], None] | None
) -> list[R]:
    context, others = multiprocessing.get_context("fork"), set(multiprocessing.active_children())
    known = (os.getpid(), context.Lock(), function, items)
    with ProcessPoolExecutor(count, context, _begin, known) as pool:
        try:
            futures: list[Future[R]] = [pool.submit(_call, index) for index in range(len(items))]
            # One that is killed may have sent half a result: reading it ends once no process could send the rest.
            pool._result_queue._writer.close()  # type: ignore[attr-defined]
            _watch(futures, set(multiprocessing.active_children()) - others, bar, meanwhile)
            return [future.result() for future in futures]
        except BaseException as error:
            for worker in set(multiprocessing.active_children()) - others:
                worker.kill()
            if isinstance(error, BrokenProcessPool) and not error.__cause__:  # else a result that cannot be unpickled
                raise UserError("a process was killed, or ran out of memory") from error
            raise


def _watch(
    futures: Sequence[Future[Any]], workers: Set[BaseProcess], bar: Any, meanwhile: Callable[[], None] | None
) -> None:
    pending = set(futures)
    while pending:
        done, pending = wait(pending, _LOOK_EVERY, FIRST_COMPLETED)
        for future in done:
            future.result()
        bar.update(len(done))
        if meanwhile:
            meanwhile()
        if any(worker.exitcode for worker in workers):  # the pool itself may wait for the rest of a result
            raise BrokenProcessPool


def _begin(parent: int, first: Any, function: Callable[[Any], Any], items: Sequence[Any]) -> None:
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to report, which kills us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _Worker.function, _Worker.items = function, items
    _Worker.quiet = not first.acquire(block=False)


def _call(index: int) -> Any:
    return _Worker.function(_Worker.items[index])
