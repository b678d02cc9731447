"""A stage that DVC runs ends with DVC, in any shell and however early DVC ends."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, Clone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has processes that can be watched")

# What DVC does to run a stage.
RUN = """
import os, subprocess, sys
stage = subprocess.Popen(
    [sys.argv[1], "-c", "python -m stages.collect_l0"], env={**os.environ, "DVC_STAGE": "collect_l0"}
)
print(stage.pid, flush=True)
stage.communicate()
"""


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("seconds", [0, 0.02, 0.5])
def test_a_stage_ends_with_dvc(checkout: Clone, shell: str, seconds: float) -> None:
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell}")
    command = [sys.executable, "-c", RUN, shell]
    with subprocess.Popen(
        command, cwd=checkout.root, env=checkout.environment, stdout=subprocess.PIPE, start_new_session=True
    ) as dvc:
        assert dvc.stdout is not None
        dvc.stdout.readline()
        time.sleep(seconds)
        dvc.kill()
    deadline = time.monotonic() + 20
    while _members(dvc.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _members(dvc.pid)


def _members(session: int) -> list[str]:
    """The processes of a session, those aside that only wait to be reaped."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, its_session = (process / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z":
                found.append((process / "cmdline").read_text())
        except OSError:  # it has just ended
            continue
    return found


def test_a_stage_by_hand_is_not_watched(checkout: Clone) -> None:
    assert "DVC_STAGE" not in os.environ
    assert "usage: python -m stages.collect_l0" in checkout.stage("collect_l0", "--help")


@pytest.mark.parametrize("refusal", ["AttributeError", "PermissionError(1)", "OSError(38)"])
def test_a_system_that_refuses_to_watch_a_process_runs_stages_all_the_same(refusal: str) -> None:
    """As older kernels and seccomp do."""
    code = f"""
import os
def refuse(pid): raise {refusal}
os.pidfd_open = refuse
from sbw.run.lifetime import end_with_dvc
end_with_dvc()
print("runs")
"""
    environment = {**os.environ, "DVC_STAGE": "collect_l0"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("runs\n", "")
