"""Checks before a run: a commit, valid params, and a DVC lock that no kill has left broken."""

import json
import subprocess
from pathlib import Path

import zc.lockfile

from sbw.run.errors import UserError
from sbw.run.loading import load_params

RWLOCK = Path(".dvc/tmp/rwlock")


def check(folder: Path) -> None:
    """Check the folder of a pipeline, and print what was found and removed.

    Raises:
        UserError: the folder has no commit, which DVC needs, or the params were refused.
    """
    _require_commit(folder)
    params = load_params(folder)
    if remove_broken(folder / RWLOCK):
        print(f"{RWLOCK} was cut off by a kill, and is removed: DVC refuses it")
    print(f"params.yaml is valid: k = {params.k:g}, toys {', '.join(params.toys)}")


def _require_commit(folder: Path) -> None:
    command = ["git", "-C", str(folder), "rev-parse", "--verify", "--quiet", "HEAD"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise UserError(
            f"{folder.resolve()} has no commit, which DVC needs (a downloaded archive has none): "
            "`git init && git add --all && git commit --message sbw` makes one"
        )


def remove_broken(rwlock: Path) -> bool:
    """Remove DVC's list of what it reads and writes if it is not JSON; returns whether it was removed.

    DVC writes it in place: a kill in that moment leaves a part, which every later run refuses. One in use is kept.
    """
    if not rwlock.exists():
        return False
    try:
        guard = zc.lockfile.LockFile(f"{rwlock}.lock")
    except zc.lockfile.LockError:
        return False
    try:
        json.loads(rwlock.read_text(encoding="utf-8"))
    except ValueError:
        rwlock.unlink()
        return True
    finally:
        guard.close()
    return False
