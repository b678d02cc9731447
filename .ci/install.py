"""Installs requirements into .venv, one process at a time; removes an install that was cut off.

`make` runs it with any Python, so it imports the standard library alone.
"""

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

BASE = Path("requirements.txt")
VENV = Path(".venv")
PYTHON = VENV / "bin/python"
PARTIAL = Path(".venv.partial")  # exists from the first change of .venv to the last


def main(files: list[Path]) -> None:
    """Install the files that .venv does not have yet."""
    if sys.version_info < (3, 11):  # noqa: UP036 # `make` takes what `python3` is
        sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11 ...")
    with BASE.open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if PARTIAL.exists() and VENV.exists():
            shutil.rmtree(VENV)
        stale = [file for file in files if not _installed(file)]  # under the lock: another process may be done
        if not stale:
            return
        PARTIAL.touch()
        if not PYTHON.exists():
            _run(lock.fileno(), sys.executable, "-m", "venv", VENV)
        for file in stale:
            # The base is a full lock, which pip checks; what the others add has pins that contradict each other.
            options = [] if file == BASE else ["--no-deps"]
            quiet = ["--quiet", "--disable-pip-version-check"]
            _run(lock.fileno(), PYTHON, "-m", "pip", "install", *quiet, *options, "--requirement", file)
            _marker(file).touch()
        PARTIAL.unlink()


def _installed(file: Path) -> bool:
    marker = _marker(file)
    return marker.exists() and marker.stat().st_mtime >= file.stat().st_mtime


def _marker(file: Path) -> Path:
    return VENV / f".installed{file.stem.removeprefix(BASE.stem)}"


def _run(lock: int, *command: str | Path) -> None:
    """Run a command that holds the lock too, since it may outlive this process."""
    status = subprocess.run(command, pass_fds=[lock], check=False).returncode
    if status:
        sys.exit(status)


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
