"""`make` as a user runs it: what it installs, what it leaves alone, and in which folders it works."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.conftest import ROOT, Clone

LISTED = "--no-index\n--find-links wheels\n{name}==1.0\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"

PIPELINE = r"""
stages:
  all:
    cmd:
      - mkdir -p plots/experiments && cp params.yaml plots/report.md && touch plots/a.svg plots/experiments/b.svg
      - printf '\n![a](a.svg)\n\n![b](experiments/b.svg)\n' >> plots/report.md
    params: [seeds]
    outs: [plots]
"""


@pytest.fixture(autouse=True)
def _called_by_no_other_make(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAKELEVEL", "MAKEFLAGS", "MFLAGS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def place(tmp_path: Path) -> Clone:
    """A folder whose name has a space, with the Makefile and requirements that need no network."""
    folder = tmp_path / "a place"
    (folder / "wheels").mkdir(parents=True)
    for name in ("Makefile", ".ci/install.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    for extra, name in (("", "tiny"), ("-llm", "large"), ("-cluster", "many")):
        (folder / f"requirements{extra}.txt").write_text(LISTED.format(name=name))
        _write_wheel(folder / f"wheels/{name}-1.0-py3-none-any.whl", name)
    surroundings = {"PYTHON": sys.executable, "MAKEFLAGS": "", "NO_PROXY": "127.0.0.1"}
    return Clone(folder, surroundings)


def _write_wheel(path: Path, name: str) -> None:
    info = f"{name}-1.0.dist-info"
    with ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


@pytest.fixture
def index(place: Clone) -> Iterator[socket.socket]:
    """What pip asks for a part of requirements.txt; until it is answered, the installation stands still."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(300)
        requirements = place.root / "requirements.txt"
        requirements.write_text(f"-r http://127.0.0.1:{server.getsockname()[1]}/more.txt\n{requirements.read_text()}")
        yield server


def _started(place: Clone, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(("make", *arguments), cwd=place.root, env=place.environment, start_new_session=True)


def _imports(place: Clone, *modules: str) -> None:
    place.run(str(place.root / ".venv/bin/python"), "-c", f"import {', '.join(modules)}")


@pytest.mark.parametrize("arguments", [["help"], ["-n", "test"], ["-n", "paper"], ["-qp"]])
def test_asking_changes_nothing_while_an_install_is_under_way(place: Clone, arguments: list[str]) -> None:
    for name in (".venv/bin/python", ".venv/.unchecked", ".venv.partial"):
        (place.root / name).parent.mkdir(parents=True, exist_ok=True)
        (place.root / name).touch()
    before = sorted(place.root.rglob("*"))
    place.run("make", *arguments, ok=arguments != ["-qp"])
    assert sorted(place.root.rglob("*")) == before


def test_help_lists_each_target_with_its_meaning(place: Clone) -> None:
    targets = re.findall(r"^([a-z-]+):.* ## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    described = [line.split() for line in place.run("make", "help").splitlines()]
    assert [words[0] for words in described] == targets
    assert all(len(words) > 2 for words in described)


def test_an_install_that_was_cut_off_is_repeated(place: Clone, index: socket.socket) -> None:
    requirements = place.root / "requirements.txt"
    asking = requirements.read_text()
    requirements.write_text(LISTED.format(name="tiny"))
    place.run("make", "environment")
    requirements.write_text(asking)
    os.utime(requirements)
    make = _started(place, "environment")
    asked, _ = index.accept()
    os.killpg(make.pid, signal.SIGKILL)
    make.wait()
    asked.close()
    next((place.root / ".venv").rglob("tiny.py")).unlink()  # pip leaves the like of it when killed as it writes
    requirements.write_text(LISTED.format(name="tiny"))
    place.run("make", ".venv/.installed-llm")
    _imports(place, "tiny", "large")


def test_two_makes_at_once_install_once_and_the_next_only_adds(place: Clone, index: socket.socket) -> None:
    makes = [_started(place, "environment") for _ in range(2)]
    try:
        asked, _ = index.accept()
        with asked:
            asked.sendall(ANSWER)
        assert [make.wait(timeout=300) for make in makes] == [0, 0]
    finally:
        for make in makes:
            if make.poll() is None:
                os.killpg(make.pid, signal.SIGKILL)
    index.setblocking(False)
    with pytest.raises(BlockingIOError):  # pip ran once
        index.accept()
    assert "Nothing to be done" in place.run("make", "environment")
    made = (place.root / ".venv/pyvenv.cfg").stat().st_mtime_ns
    place.run("make", ".venv/.installed-llm")
    _imports(place, "tiny", "large")
    assert (place.root / ".venv/pyvenv.cfg").stat().st_mtime_ns == made


def test_the_papers_seeds_in_a_subfolder_of_another_repository(place: Clone) -> None:
    """`make paper` runs what is committed of this folder, in a clone, and reports it here."""
    (place.root / ".venv").mkdir()
    (place.root / ".venv/.installed").touch()
    (place.root / "profiles").mkdir()
    (place.root / "profiles/paper").write_text("seeds=[0,1,2]\n")
    (place.root / "params.yaml").write_text("seeds: [0]\n")
    (place.root / "dvc.yaml").write_text(PIPELINE)
    (place.root / ".gitignore").write_text("/.venv\n/.paper\n")
    repository = replace(place, root=place.root.parent)
    repository.run("git", "init", "-q")
    place.run("dvc", "init", "-q", "--subdir")
    repository.run("git", "add", "-A")
    repository.run("git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-qm", "state")
    place.run("make", "paper")
    written = place.run("git", "ls-files", "--others", "--exclude-standard").splitlines()
    assert {Path(name).name for name in written} >= {"a.svg", "b.svg"}
    assert any("- 0\n- 1\n- 2\n" in (place.root / name).read_text() for name in written if name.endswith(".md"))
