"""Clones of this repository with a quick profile, run by real DVC."""

import functools
import operator
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import settings
from ruamel.yaml import YAML

from tests.preloaded import with_preloaded

# pytest has more workers than processors: more threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parents[1]
LLM_PARAMS = "stages/llm/params.yaml"
RESULTS = ("dvc.lock", "*/dvc.lock", "data/*.json", "plots/*.svg", "plots/*.md", "plots/*.html", "plots/*.png")
QUICK: dict[str, Any] = {
    "synthesize.eval_samples": 2_000,
    "training.samples": 65_536,
    "train.log_every": 8,
    "sweep.cells": {"low": [9], "near": [11]},
    "figures.sweep.cosine_heatmaps.ks": [9, 11],
    "figures.sweep.histograms.ks": [9, 11],
    "figures.sweep.low_l0_mse.ks": [9],
    "experiments.transition.ramps": [
        {"initial_k": 20, "k": 11, "ramp_from": 0.2, "ramp_to": 0.75, "samples": 8_192},
        {"initial_k": 2, "k": 11, "ramp_from": 0.0, "ramp_to": 0.8, "samples": 16_384},
    ],
    "experiments.jumprelu.l0_coefficients": [0.1, 1.0],
    "experiments.mixing.rhos": [-0.4, 0.4],
}
# One experiment of each kind is enough to test the pipeline.
QUICK_WITHOUT = [
    "experiments.superposition",
    "experiments.mixing_l0",
    "experiments.mixing_superposed",
    "experiments.mixing_zipf",
    "toys.superposed",
    "toys.five_superposed",
    "toys.five_zipf",
]


# Stages of one generation do not depend on each other.
GENERATIONS = [
    ("collect_l0", "synthesize@", "plots_scripts", "audit_folder"),
    ("train", "sweep@", "experiment@", "automatic_l0"),
    ("evaluate@", "evaluate_experiment@", "audit"),
    ("recommend",),
    ("figures@", "theory", "experiment_figure@", "series"),
]


def pytest_configure(config: pytest.Config) -> None:
    """Tests draw the same examples in every run; --torture draws new ones."""
    settings.register_profile("sbw", derandomize=not config.getoption("--torture"), database=None)
    settings.load_profile("sbw")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One worker more than processors: many tests wait for the processes that they start."""
    return (os.cpu_count() or 1) + 1


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--torture", action="store_true", help="the full counts of tests/torture, not a short draw")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests with a `life` run once, and a dozen times with --torture."""
    if "life" in metafunc.fixturenames:
        metafunc.parametrize("life", range(12 if metafunc.config.getoption("--torture") else 1))


@dataclass(frozen=True)
class Clone:
    """A checkout of the project that a test may change at will."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)
    """Environment variables beside those that the Makefile sets."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a command that the Makefile runs."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "MPLBACKEND": "Agg", "HF_HUB_OFFLINE": "1", **self.variables}

    def run(self, *command: str, ok: bool = True) -> str:
        """Run a command in the clone; returns what it printed, after checking that it succeeded, or failed."""
        return self._run(command, self.environment, ok)

    def dvc(self, *arguments: str, ok: bool = True) -> str:
        """Run DVC; it and its stages find the libraries imported, unless the environment has variables of its own."""
        return self._run(
            ("dvc", *arguments), self.environment if self.variables else with_preloaded(self.environment), ok
        )

    def _run(self, command: Sequence[str], environment: dict[str, str], ok: bool) -> str:
        done = subprocess.run(
            command,
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) == ok, done.stdout
        return done.stdout

    def stage(self, *arguments: str, ok: bool = True) -> str:
        name, *rest = arguments
        return self.run(sys.executable, "-m", f"stages.{name}", *rest, ok=ok)

    def sbw(self, *arguments: str, ok: bool = True) -> str:
        """Run the command `sbw`."""
        return self.run(sys.executable, "-m", "sbw", *arguments, ok=ok)

    def stage_here(self, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
        """Run a stage in this process, which has SAELens imported already. It may not reach for the network."""
        name, *rest = arguments
        monkeypatch.setattr("socket.socket.connect", _no_network)
        monkeypatch.setattr("socket.getaddrinfo", _no_network)
        monkeypatch.chdir(self.root)
        monkeypatch.setattr(sys, "argv", [name, *rest])
        runpy.run_module(f"stages.{name}", run_name="__main__")

    def set_params(self, values: dict[str, Any], without: Sequence[str] = (), file: str = "params.yaml") -> None:
        """Set params by their dotted names, and remove those in `without`; of the main pipeline if no file is named."""
        yaml = YAML()
        path = self.root / file
        document = yaml.load(path)
        for name in [*without, *values]:
            _set(document, name, values)
        yaml.dump(document, path)

    def open(self, pipeline: str) -> None:
        """Have DVC read a pipeline beside the main one, a folder in stages, as `make` does."""
        (self.root / "stages/.dvcignore").write_text(f"!/{pipeline}\n")

    def copy(self, to: Path) -> "Clone":
        shutil.copytree(self.root, to, symlinks=True)
        return Clone(to)


def _set(document: dict[str, Any], name: str, values: dict[str, Any]) -> None:
    *parents, last = name.split(".")
    section = functools.reduce(operator.getitem, parents, document)
    if name in values:
        section[last] = values[name]
    else:
        del section[last]


def _no_network(*address: object, **_: object) -> None:
    raise AssertionError(f"a stage looks for {address}")


def lock(clone: Clone) -> dict[str, object]:
    """The entries of dvc.lock, by stage."""
    path = clone.root / "dvc.lock"
    return YAML(typ="safe").load(path)["stages"] if path.exists() else {}


def stages_run(output: str) -> set[str]:
    """The stages that DVC ran, by its output."""
    return set(re.findall(r"^Running stage '([^']+)'", output, flags=re.MULTILINE))


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The project as it would be committed now, with the quick profile, nothing run yet. Not to be changed."""
    return made_once(tmp_path_factory, "checkout", _check_out)


@pytest.fixture(scope="session")
def torture(pytestconfig: pytest.Config) -> bool:
    """Whether the full counts are asked for."""
    return bool(pytestconfig.getoption("--torture"))


@pytest.fixture
def limited() -> Iterator[None]:
    """Fails a test that waits forever, after a minute."""

    def stop(*_: object) -> None:
        raise TimeoutError("the test has not come to an end")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 60, 5)  # again, where what ends the test waits too
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def undisturbed(_reproduced: Clone) -> Clone:
    """A clone in which `dvc repro` has run. Not to be changed."""
    return _reproduced


@pytest.fixture(scope="session")
def _reproduced(checkout: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    def make(root: Path) -> None:
        clone = checkout.copy(root)
        _reproduce(clone)
        _commit(clone)

    return made_once(tmp_path_factory, "reproduced", make)


@pytest.fixture
def at_nine(_reproduced: Clone, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> tuple[Clone, str]:
    """A clone of the test's own with an experiment `nine`, at k = 9, and what DVC printed while it ran."""

    def make(root: Path) -> None:
        clone = _reproduced.copy(root)
        printed = clone.dvc("exp", "run", "-S", "k=9", "--name", "nine")
        (root / ".dvc/tmp/printed").write_text(printed)

    clone = made_once(tmp_path_factory, "at_nine", make).copy(tmp_path / "sbw")
    return clone, (clone.root / ".dvc/tmp/printed").read_text()


def made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Clone:
    """A clone that all of a run's workers share: the first that needs it makes it, the others wait."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with FileLock(shared / f"{name}.lock"):
        if not (shared / name).exists():
            make(shared / f"{name}.partial")
            (shared / f"{name}.partial").rename(shared / name)
    return Clone(shared / name)


def _reproduce(clone: Clone) -> None:
    """As `dvc repro`, but a generation's stages dealt out to as many processes as there are processors."""
    names, shares = clone.dvc("stage", "list", "--name-only").split(), os.cpu_count() or 1
    with ThreadPool(shares) as pool:
        for generation in GENERATIONS:
            stages = [name for name in names if name.startswith(generation)]
            names = [name for name in names if name not in stages]
            dealt = [stages[share::shares] for share in range(min(shares, len(stages)))]
            pool.map(lambda some: clone.dvc("--wait-for-lock", "repro", "--single-item", *some), dealt)
    clone.dvc("repro")


def _check_out(root: Path) -> None:
    clone = Clone(root)
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\0")[:-1]:
        if (ROOT / name).is_file() and not any(fnmatchcase(name, pattern) for pattern in RESULTS):
            (clone.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone.root / name)
    clone.set_params(QUICK, QUICK_WITHOUT)
    clone.run("git", "init", "-q")
    _commit(clone)


@pytest.fixture
def reproduced(_reproduced: Clone, tmp_path: Path) -> Clone:
    """A clone of the test's own, in which `dvc repro` has run and its results are committed."""
    return _reproduced.copy(tmp_path / "sbw")


@pytest.fixture
def fresh(checkout: Clone, tmp_path: Path) -> Clone:
    """A clone of the test's own, in which nothing has run."""
    return checkout.copy(tmp_path / "sbw")


def _commit(clone: Clone) -> None:
    clone.run("git", "add", "-A")
    clone.run("git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-qm", "state")
    clone.run("git", "config", "user.name", "test")
    clone.run("git", "config", "user.email", "test@localhost")
