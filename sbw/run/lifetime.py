"""Ends a stage when the DVC that runs it ends, even by a kill."""

import os
import select
import signal
import sys
import threading
from pathlib import Path


def end_with_dvc() -> None:
    """Kill this process as soon as the DVC that runs it as a stage is gone, or the next run would meet it.

    Linux can signal the end of the parent, but that may be a shell that waits for us whatever happens to DVC.
    Elsewhere, and where the system refuses a descriptor of a process (older kernels, seccomp), nothing is watched.
    """
    if "DVC_STAGE" not in os.environ or sys.platform != "linux":
        return
    dvc = os.getppid()
    while dvc > 1 and _environment(dvc).get("DVC_STAGE") == os.environ["DVC_STAGE"]:  # a shell that DVC started
        dvc = _parent(dvc)
    try:
        orphaned = os.getsid(dvc) != os.getsid(0)  # the parent is init, or another that adopts orphans
        watched = None if orphaned else os.pidfd_open(dvc)
    except ProcessLookupError:
        orphaned = True
    except (AttributeError, OSError):
        return
    if orphaned:
        os.kill(os.getpid(), signal.SIGKILL)
    threading.Thread(target=_wait_and_end, args=(watched,), daemon=True).start()


def _wait_and_end(watched: int) -> None:
    poll = select.poll()
    poll.register(watched, select.POLLIN)
    poll.poll()
    os.kill(os.getpid(), signal.SIGKILL)


def _environment(pid: int) -> dict[str, str]:
    try:
        entries = Path(f"/proc/{pid}/environ").read_text(errors="replace").split("\0")
    except OSError:
        return {}
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:  # it has just ended
        return 1
