"""Two machines of a Ray cluster on the loopback address, a server of S3, and a pipeline whose cells take no time."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT, Clone

NO_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true",
}  # fmt: skip
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1",
}  # fmt: skip
# By default Ray's workers give way to all other processes, such as the other tests.
RAY = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0", "OMP_NUM_THREADS": "1"}
PIPELINE = """
stages:
  source:
    cmd: mkdir -p data && cp stages/cell.py data/source
    deps:
      - stages/cell.py
    outs:
      - data/source
  cell:
    matrix:
      n: [1, 2, 3, 4]
    cmd: python -m stages.cell ${item.n}
    deps:
      - data/source
    outs:
      - data/cells/${item.n}
  table:
    cmd: cat data/cells/* > data/table
    deps:
      - data/cells
    outs:
      - data/table
"""
CELL = """
import os, sys, time
from pathlib import Path

from sbw.run.lifetime import end_with_dvc

end_with_dvc()  # as every stage begins
n, diary = sys.argv[1], Path(os.environ["DIARY"])

def note(what):
    with (diary / what).open("a") as file:
        file.write(f"{n}\\n")

note("begun")
while (diary / f"hold-{n}").exists():
    time.sleep(0.05)
if (diary / f"fail-{n}").exists():
    sys.exit(f"cell {n} has a fault of its own")
Path("data/cells").mkdir(parents=True, exist_ok=True)
Path("data/cells", n).write_text(Path("data/source").read_text() + n)
note("ended")
"""


@dataclass
class Machines:
    """Each has a home folder of its own, in which its clones are; its processes are known by it."""

    folder: Path
    address: str = ""

    def home(self, name: str) -> Path:
        return self.folder / name

    @property
    def diary(self) -> Path:
        """Where cells note that they began and ended."""
        return self.home("diary")

    def noted(self, what: str) -> list[str]:
        path = self.diary / what
        return path.read_text().split() if path.exists() else []

    def start(self, name: str, ip: str, *options: str) -> None:
        for folder in (self.home(name), self.diary):
            folder.mkdir(exist_ok=True)
        for _ in range(3):  # Ray gives itself 30 seconds, which a loaded machine does not keep
            done = self._ray_start(name, ip, *options)
            if done.returncode == 0:
                self.address = (self.folder / "ray_current_cluster").read_text()
                return
            self.kill(name)
        raise AssertionError(done.stderr)

    def _ray_start(self, name: str, ip: str, *options: str) -> subprocess.CompletedProcess[str]:
        processors = sorted(os.sched_getaffinity(0))
        own = processors[int(ip.rpartition(".")[2]) % len(processors)]  # each machine sees one, where there are two
        return subprocess.run(
            [
                str(Path(sys.executable).with_name("ray")), "start", *options,
                "--node-ip-address", ip, "--num-cpus", "1", "--memory", "4000000000",
                "--object-store-memory", "80000000", "--temp-dir", str(self.folder), "--disable-usage-stats",
                "--min-worker-port", "0", "--max-worker-port", "0",  # any that are free: another cluster may run
            ],
            env={**os.environ, **RAY, **CREDENTIALS, "HOME": str(self.home(name)), "DIARY": str(self.diary)},
            check=False, capture_output=True, text=True, preexec_fn=lambda: os.sched_setaffinity(0, {own}),
        )  # fmt: skip

    def running(self, name: str, command: str = "") -> list[int]:
        """The processes of a machine whose command line has this text."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                ours = f"\0HOME={self.home(name)}\0" in f"\0{(process / 'environ').read_text(errors='replace')}\0"
                if ours and command in (process / "cmdline").read_text().replace("\0", " "):
                    found.append(int(process.name))
            except OSError:  # it has just ended, or is another user's
                continue
        return found

    def kill(self, name: str, command: str = "") -> None:
        for process in self.running(name, command):
            os.kill(process, signal.SIGKILL)


def wait_until(holds: Callable[[], bool], what: str, meanwhile: subprocess.Popen[str] | None = None) -> None:
    deadline = time.monotonic() + 240
    while not holds():
        assert not meanwhile or meanwhile.poll() is None, meanwhile.communicate()[0]
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    """Two of them, `a` and `b`, with a processor each."""
    # Short, since Ray puts sockets there.
    cluster = Machines(Path(tempfile.mkdtemp(prefix="ray", dir="/tmp")))
    try:
        cluster.start("a", "127.0.0.2", "--head", "--port", "0", "--include-dashboard=false")
        cluster.start("b", "127.0.0.3", "--address", cluster.address)
        yield cluster
    finally:
        for name in ("a", "b"):
            cluster.kill(name)
        shutil.rmtree(cluster.folder, ignore_errors=True)


@pytest.fixture
def s3() -> Iterator[str]:
    """The endpoint of a server of S3 with a bucket `results`."""
    with s3_server() as endpoint:
        yield endpoint


@contextmanager
def s3_server() -> Iterator[str]:
    """Gives its endpoint; there is a bucket `results`."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    try:
        session = boto3.Session("key", "secret", region_name="us-east-1")
        session.client("s3", endpoint_url=endpoint).create_bucket(Bucket="results")
        yield endpoint
    finally:
        server.stop()


@pytest.fixture
def tiny(tmp_path: Path) -> Clone:
    """A project of the pipeline above, with the code of this one that the command needs, and no remote."""
    clone = Clone(tmp_path / "tiny")
    copy_project(clone)
    (clone.root / "stages/cell.py").write_text(CELL)
    (clone.root / "dvc.yaml").write_text(PIPELINE)
    clone.run("git", "init", "-q")
    return clone


def copy_project(clone: Clone) -> None:
    """The code that the command needs, without a pipeline."""
    for name in ("sbw/__init__.py", "sbw/__init__.pyi", "sbw/__main__.py", "stages/__init__.py", "params.yaml",
                 ".gitignore", ".dvcignore", ".dvc/.gitignore", ".dvc/config"):  # fmt: skip
        (clone.root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, clone.root / name)
    for package in ("sbw/params", "sbw/run"):
        shutil.copytree(ROOT / package, clone.root / package)


def set_remote(clone: Clone, url: str, endpoint: str = "") -> None:
    """Make that the default remote, and commit everything."""
    option = f"    endpointurl = {endpoint}\n" if endpoint else ""
    config = clone.root / ".dvc/config"
    text = config.read_text().replace("[core]\n", "[core]\n    remote = results\n")
    config.write_text(f"{text}['remote \"results\"']\n    url = {url}\n{option}")
    clone.run("git", "add", "-A")
    clone.run("git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-qm", "a remote")
