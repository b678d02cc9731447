"""Items mapped in processes give their results in order, or the first error; no process outlives its parent."""

import multiprocessing
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import pytest
import torch

from sbw.run.errors import UserError
from sbw.run.processes import map_processes, quiet
from tests.conftest import ROOT


def waiting_for_each_other(items: int) -> Callable[[int], int]:
    """A task that returns once as many processes as there are items have begun."""
    barrier = multiprocessing.get_context("fork").Barrier(items)
    return lambda item: (barrier.wait(60), item)[1]


def test_results_come_in_order_from_processes_of_one_thread_each() -> None:
    together, threads = waiting_for_each_other(3), torch.get_num_threads()
    results = map_processes(lambda item: (together(item), os.getpid(), torch.get_num_threads()), [5, 6, 7], 3)
    assert [item for item, _, _ in results] == [5, 6, 7]
    assert len({pid for _, pid, _ in results} | {os.getpid()}) == 4
    assert {count for _, _, count in results} == {1}
    assert torch.get_num_threads() == threads
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("processes", [1, 2])
def test_one_process_is_this_one_and_so_is_each_inside_another(processes: int) -> None:
    def pids(_: int) -> set[int]:
        return {os.getpid(), *map_processes(lambda _: os.getpid(), range(3), 3 if processes > 1 else 1)}

    found = map_processes(pids, range(2), processes)
    assert all(len(some) == 1 for some in found)
    assert (found[0] == {os.getpid()}) == (processes == 1)


def test_where_nothing_can_be_forked_this_process_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    assert map_processes(lambda item: (item, os.getpid()), [1, 2], 2) == [(1, os.getpid()), (2, os.getpid())]


def test_one_process_alone_shows_its_bars() -> None:
    together = waiting_for_each_other(3)
    assert sorted(map_processes(lambda item: together(item) >= 0 and bool(quiet()), range(3), 3)) == [False, True, True]


def test_meanwhile_is_called_as_processes_work() -> None:
    receiver, sender = multiprocessing.Pipe(duplex=False)
    seen: list[int] = []

    def look() -> None:
        while receiver.poll():
            seen.append(receiver.recv())

    map_processes(sender.send, [1, 2, 3], 2, meanwhile=look)
    assert sorted(seen) == [1, 2, 3]


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_is_raised_here_though_the_others_wait_forever(failing: int) -> None:
    def task(item: int) -> None:
        if item == failing:
            raise ValueError(f"item {item}")
        signal.pause()

    with pytest.raises(ValueError, match=f"item {failing}"):
        map_processes(task, range(2), 2)
    assert multiprocessing.active_children() == []


@pytest.mark.usefixtures("limited")
def test_a_killed_process_is_an_error_that_says_so_though_the_others_wait_forever() -> None:
    def task(item: int) -> None:
        if item == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        signal.pause()

    with pytest.raises(UserError, match=r"^a process was killed, or ran out of memory$"):
        map_processes(task, range(3), 3)
    assert multiprocessing.active_children() == []


@pytest.mark.usefixtures("limited")
def test_a_process_that_is_killed_in_the_middle_of_its_result_is_a_kill() -> None:
    def half(connection: Connection, result: memoryview) -> None:
        os.write(connection.fileno(), struct.pack("!i", len(result)) + result[:1])
        os.kill(os.getpid(), signal.SIGKILL)

    def task(item: int) -> None:
        if item == 0:
            signal.pause()
        Connection._send_bytes = half

    with pytest.raises(UserError, match="a process was killed"):
        map_processes(task, range(2), 2)


class Unreadable(Exception):
    """An error that cannot be unpickled."""

    def __init__(self, one: int, two: int):
        super().__init__(one + two)


@pytest.mark.usefixtures("limited")
def test_an_error_of_ours_that_cannot_be_sent_is_no_kill() -> None:
    def task(_: int) -> None:
        raise Unreadable(1, 2)

    with pytest.raises(Exception, match="abruptly") as raised:
        map_processes(task, range(2), 2)
    assert not isinstance(raised.value, UserError)
    assert "missing 1 required positional argument" in str(raised.value.__cause__)


def test_no_process_outlives_its_parent() -> None:
    code = """
import os, signal
from sbw.run.processes import map_processes
def train(_):
    os.write(1, f"{os.getpid()}\\n".encode())  # at once, whatever Python buffers
    signal.pause()
map_processes(train, range(2), 2)
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        try:
            pids = {int(parent.stdout.readline()) for _ in range(2)}
        finally:
            parent.kill()
            parent.communicate()  # returns when the last process that holds the pipe has ended
    deadline = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{pid}") for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)
