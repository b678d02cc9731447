"""Maps a function over items in forked processes, none of which outlives its parent."""

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
_POLL_SECONDS = 0.1


def processors() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processes_on(device: str) -> int:
    """Number of processes that share work on a device: one per processor on a CPU, one on a GPU."""
    return processors() if device == "cpu" else 1


def can_fork() -> bool:
    """Whether this process may fork others: the platform can, and it is not itself a fork."""
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
    its sums would depend on their number, and a fork has no threads but its own. With one
    process, or where it cannot fork, this process does the work.

    Args:
        function: what to compute from an item.
        items: the items.
        processes: at most so many, by default one per processor. Items that wait for each other need one each.
        label: of a progress bar of finished items. Without it there is none, and `function` may show one (`quiet`).
        unit: what the bar calls an item.
        meanwhile: called in this process several times per second while others work, and when they are done.

    Raises:
        UserError: a process was killed.
        Whatever `function` raised first; the other processes are killed.
    """
    from tqdm import tqdm  # slow, and stages import this module early

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
    """tqdm's `disable` for a bar of this process: True if another process shows its own, None (by terminal) if not."""
    return _Worker.quiet or None


@contextmanager
def one_thread() -> Iterator[None]:
    """Within this, torch has one thread in this process and in those it forks."""
    import torch  # slow too

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def die_with(parent: int) -> None:
    """Have Linux kill this process as soon as its parent ends; other systems cannot."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before we asked
            os.kill(os.getpid(), signal.SIGKILL)


class _Worker:
    """The state of a process of a pool."""

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
            # A killed process may have sent half a result: reading it ends once no process could send the rest.
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
        done, pending = wait(pending, _POLL_SECONDS, FIRST_COMPLETED)
        for future in done:
            future.result()
        bar.update(len(done))
        if meanwhile:
            meanwhile()
        if any(worker.exitcode for worker in workers):  # the pool itself may wait for the rest of a result
            raise BrokenProcessPool


def _begin(parent: int, first: Any, function: Callable[[Any], Any], items: Sequence[Any]) -> None:
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent reports Ctrl-C, and kills us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _Worker.function, _Worker.items = function, items
    _Worker.quiet = not first.acquire(block=False)


def _call(index: int) -> Any:
    return _Worker.function(_Worker.items[index])
