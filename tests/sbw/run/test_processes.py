"""Tasks run at once give their results in order, or their error; none outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest
import torch

from sbw.run.processes import in_parallel
from tests.conftest import ROOT


def test_results_come_in_order_from_processes_of_their_own() -> None:
    results = in_parallel([partial(lambda i: (i, os.getpid(), torch.get_num_threads()), i) for i in range(3)])
    assert [i for i, _, _ in results] == [0, 1, 2]
    assert results[0][1] == os.getpid()
    assert len({pid for _, pid, _ in results}) == 3
    assert {threads for _, _, threads in results} == {1}


def test_torch_has_its_threads_back_afterwards() -> None:
    before = torch.get_num_threads()
    in_parallel([lambda: 1])
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_is_raised_here(failing: int) -> None:
    def task(i: int) -> int:
        if i == failing:
            raise ValueError(f"task {i}")
        return i

    with pytest.raises(ValueError, match=f"task {failing}"):
        in_parallel([partial(task, i) for i in range(2)])


def test_a_killed_process_is_an_error_that_says_so() -> None:
    with pytest.raises(RuntimeError, match="ended without a result"):
        in_parallel([lambda: 1, lambda: os.kill(os.getpid(), signal.SIGKILL)])


def test_no_task_outlives_its_parent() -> None:
    code = """
import os, time
from sbw.run.processes import in_parallel
def train():
    os.write(1, f"{os.getpid()}\\n".encode())  # at once, whatever Python buffers
    time.sleep(60)
in_parallel([train, train])
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        try:
            pids = {int(parent.stdout.readline()) for _ in range(2)}
        finally:
            parent.kill()
            parent.communicate()  # returns when the last process that holds the pipe has ended
    deadline = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{pid}") for pid in pids - {parent.pid}) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids - {parent.pid})
