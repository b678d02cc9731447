"""DVC and stages in forks of a process that has the libraries imported: imports are most of a short command's time.

`with_preloaded` puts a `dvc` and a `python` first on the path. `dvc …` and its `python -m stages.NAME` then run in
processes of their own, with their own folder, variables and files; but `LIBRARIES`, which have no code of the project,
are imported once for all workers of a test run, and no exit handlers run. Tests of process groups, mounts and
surroundings do not use it.
"""

import functools
import gc
import importlib
import io
import os
import runpy
import shutil
import socket
import sys
import tempfile
import time
import traceback
from pathlib import Path
from socketserver import ForkingMixIn, StreamRequestHandler, UnixStreamServer

from filelock import FileLock

LIBRARIES = (
    "dvc.cli",
    "dvc.commands.repro",
    "dvc.repo.experiments.queue.celery",
    "dvc.repo.experiments.queue.tempdir",
    "matplotlib.figure",
    "networkx",
    "pyarrow.parquet",
    "pydantic",
    "pygit2",
    "ruamel.yaml",
    "sae_lens.evals",
    "scipy.optimize",
    "seaborn",
)

CLIENT = """#!{python} -IS
import os, socket, sys
called, *arguments = sys.argv
if os.path.basename(called) == "dvc":
    arguments = ["-m", "dvc", *arguments]
if arguments[0] != "-m":
    os.execv({python!r}, [{python!r}, *arguments])
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    variables = (f"{{name}}={{value}}" for name, value in os.environ.items())
    socket.send_fds(server, [b"+"], [0, 1, 2])
    server.sendall("\\0".join([os.getcwd(), str(len(arguments) - 1), *arguments[1:], *variables]).encode())
    server.shutdown(socket.SHUT_WR)
    sys.exit(int(server.recv(8) or 1))
"""


def with_preloaded(environment: dict[str, str]) -> dict[str, str]:
    """An environment whose `dvc` and `python -m` run in forks of the one process of this test run."""
    return {**environment, "PATH": f"{_started()}{os.pathsep}{environment['PATH']}"}


@functools.cache
def _started() -> Path:
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")  # of all workers, whose parent outlives them
    watched = os.getppid() if run else os.getpid()
    folder = Path(tempfile.gettempdir(), f"sbw-{run or watched}")
    address = folder / "socket"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "lock"):
        if not address.exists():
            _start(folder, address, watched)
    return folder


def _start(folder: Path, address: Path, watched: int) -> None:
    for client in (folder / "dvc", folder / "python"):
        client.write_text(CLIENT.format(python=sys.executable, address=str(address)))
        client.chmod(0o755)
    variables = {**os.environ, "MPLBACKEND": "Agg", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, __file__, str(address), str(watched)]
    no_input = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    server = os.posix_spawn(sys.executable, command, variables, file_actions=[no_input])
    while not address.exists():
        assert os.waitpid(server, os.WNOHANG) == (0, 0), "it has ended"
        time.sleep(0.05)


class _Command(StreamRequestHandler):
    def handle(self) -> None:
        _, files, _, _ = socket.recv_fds(self.request, 1, 3)
        folder, count, *rest = self.rfile.read().decode().split("\0")
        (module, *arguments), variables = rest[: int(count)], rest[int(count) :]
        for i, file in enumerate(files):
            os.dup2(file, i)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update({name: value for name, _, value in (variable.partition("=") for variable in variables)})
        sys.path[0], sys.argv = folder, [module, *arguments]
        self.wfile.write(str(_run(module)).encode())


def _run(module: str) -> int:
    """The exit status of a module that is run as a program is."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


class _Server(ForkingMixIn, UnixStreamServer):
    watched = 0

    def service_actions(self) -> None:
        super().service_actions()
        try:
            os.kill(self.watched, 0)
        except ProcessLookupError:
            shutil.rmtree(Path(str(self.server_address)).parent)
            sys.exit()


def _serve(address: str, watched: int) -> None:
    with _Server(address, _Command) as server:
        server.watched = watched
        for library in LIBRARIES:
            importlib.import_module(library)
        gc.freeze()
        server.serve_forever()


if __name__ == "__main__":
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(line_buffering=True)
    _serve(sys.argv[1], int(sys.argv[2]))
