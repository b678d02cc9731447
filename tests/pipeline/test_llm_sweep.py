"""The sweep on a language model runs under DVC, goes on after a kill, and reruns exactly what a change concerns."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from sbw.files import load_table
from tests.conftest import LLM_PARAMS, Clone, made_once, stages_run
from tests.pipelines import assert_stale
from tests.preloaded import with_preloaded
from tests.processes import working_in
from tests.sbw.run.cluster.conftest import RAY, Machines, machines, set_remote, wait_until  # noqa: F401 (a fixture)
from tests.tiny import CONTEXT, HOOK, write_model

PIPELINE = "stages/llm/sweep/dvc.yaml"
UPSTREAM = {"stages/llm/dvc.yaml:fetch", "stages/llm/dvc.yaml:harvest"}
CELLS = ("low", "high")
VALUES: dict[str, Any] = {
    "hook": HOOK,
    "dtype": "float32",
    "context_size": CONTEXT,
    "corpus.source": "texts.jsonl",
    "corpus.held_out": 0.1,
    "harvest.tokens": 3000,
    "train.d_sae": 24,
    "train.batch_size": 30,
    "train.buffer": 1000,
    "train.saes": {"one": {"architecture": "batchtopk", "k": 4}},
    "focus": "one",
    "dashboards.latents": [0],
    "sweep.cells": {"low": [3], "high": [8]},
    "sweep.contexts": 40,
    "sweep.groups": 2,
    "sweep.bins": 10,
    "sweep.evals": {"batch_size": 2, "reconstruction_batches": 1, "sparsity_batches": 1},
    "sweep.texts": {"ks": [3, 8], "latents": 2, "examples": 2, "margin": 3, "contexts": 40},
    "sweep.figures.ks": [3, 8],
    "probing.datasets": ["119_us_state_TX"],
    "probing.latents": [1, 4],
}

AFTER_MEASURE = {"recommend", "score", "figures", "texts"}
PROBED = {f"probe@{cell}" for cell in CELLS}
MEASURED = {f"measure@{cell}" for cell in CELLS} | AFTER_MEASURE
TRAINED = {f"train@{cell}" for cell in CELLS} | PROBED | MEASURED
ON_ACTIVATIONS = {"activations", "baseline"} | PROBED | {"score", "figures"}
HELD_OUT = {"held_out"} | MEASURED
STALE = {
    "model": TRAINED | HELD_OUT | ON_ACTIVATIONS,
    "model_class": TRAINED | HELD_OUT | ON_ACTIVATIONS,
    "hook": TRAINED | HELD_OUT | ON_ACTIVATIONS,
    "dtype": TRAINED | HELD_OUT | ON_ACTIVATIONS,
    "device": TRAINED | HELD_OUT | ON_ACTIVATIONS,
    "context_size": TRAINED | HELD_OUT | ON_ACTIVATIONS,
    "corpus.*": TRAINED | HELD_OUT | ON_ACTIVATIONS,  # written by the stage that writes the model
    "harvest.tokens": TRAINED,
    "harvest.batch_size": TRAINED | HELD_OUT,
    "harvest.disk": set(),
    "train.saes.*": set(),
    "train.*": TRAINED,
    "sweep.cells.low": {"train@low", "measure@low", "probe@low"} | AFTER_MEASURE,
    "sweep.cells.high": {"train@high", "measure@high", "probe@high"} | AFTER_MEASURE,
    "sweep.seeds": TRAINED,
    "sweep.contexts": HELD_OUT,
    "sweep.groups": MEASURED,
    "sweep.bins": MEASURED,
    "sweep.evals.*": MEASURED,
    "sweep.texts.*": {"texts"},
    "sweep.figures.*": {"figures"},
    "probing.datasets": ON_ACTIVATIONS,
    "probing.batch_size": ON_ACTIVATIONS,
    "probing.latents": PROBED | {"score", "figures"},
    "probing.seed": {"baseline", "score", "figures"} | PROBED,
    "recommend.*": AFTER_MEASURE,
    "*": set(),
}


@pytest.fixture(scope="module")
def ran(checkout: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which the whole pipeline has run on the tiny model. Not to be changed."""

    def make(root: Path) -> None:
        clone = checkout.copy(root)
        clone.open("llm")
        write_model(root / "tiny_model")
        texts = [{"text": f"text {i}: " + " ".join(str(i * j) for j in range(40))} for i in range(500)]
        (root / "texts.jsonl").write_text("\n".join(map(json.dumps, texts)))
        clone.set_params(VALUES | {"model": "tiny_model"}, file=LLM_PARAMS)
        wanted = {f"{PIPELINE}:{name}" for name in TRAINED | HELD_OUT | ON_ACTIVATIONS}
        assert stages_run(clone.dvc("repro", PIPELINE)) == wanted | UPSTREAM

    return made_once(tmp_path_factory, "llm_sweep", make)


def test_it_writes_what_git_keeps(ran: Clone) -> None:
    metrics = ran.root / "data/metrics/llm"
    sweep = json.loads((metrics / "sweep.json").read_text())["saes"]
    assert [row["k"] for row in sweep] == [3, 8]
    assert json.loads((metrics / "probing.json").read_text())["datasets"] == 1
    assert "words" in json.loads((metrics / "recommendation.json").read_text())
    plots = {"metrics", "probing", "projections", "densities", "coherences"}
    assert {path.stem for path in (ran.root / "plots/llm_sweep").glob("*.svg")} == plots
    assert (ran.root / "plots/llm_sweep_texts.html").exists()
    curves = load_table(ran.root / "data/llm/sweep/recommendation/curves.parquet")
    assert curves["true_l0"].isna().all()
    ignored = ran.run("git", "status", "--short", "--untracked-files=all")
    assert "plots/llm_sweep/metrics.svg" in ignored
    assert ".parquet" not in ignored


def test_a_killed_run_redoes_only_the_unfinished_cell(ran: Clone, tmp_path: Path) -> None:
    clone, names = ran.copy(tmp_path / "sbw"), [f"{PIPELINE}:train@{cell}" for cell in CELLS]
    cells = {name: clone.root / f"data/llm/sweep/sae/{cell}" for name, cell in zip(names, CELLS, strict=True)}
    clone.set_params({"train.lr": 2e-3}, file=LLM_PARAMS)  # with the former value they would come out of the cache
    for cell in cells.values():
        shutil.rmtree(cell)
    with begun_and_killed(clone, *names) as run:
        while not (finished := {name for name, cell in cells.items() if cell.exists()}) or not begun(clone):
            assert run.poll() is None, "it is killed in its second cell"
            time.sleep(0.005)
    before = {name: weights(cells[name]) for name in finished}
    assert stages_run(clone.dvc("repro", *names)) == set(names) - finished
    assert {name: weights(cells[name]) for name in finished} == before


@contextmanager
def begun_and_killed(clone: Clone, *names: str) -> Iterator[subprocess.Popen[bytes]]:
    """`dvc repro`, killed with all its stages at the end of the block."""
    with subprocess.Popen(["dvc", "repro", *names], cwd=clone.root, env=with_preloaded(clone.environment),
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:  # fmt: skip
        yield run
        for process in working_in(clone.root):
            os.kill(process, signal.SIGKILL)


def begun(clone: Clone) -> bool:
    """Whether a cell is being trained."""
    return any((clone.root / "data/llm/sweep/sae").glob(".*.partial"))


def weights(cell: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(cell.rglob("*.safetensors"))]


def test_an_audit_of_the_sweep_takes_the_l0_that_was_measured(ran: Clone, tmp_path: Path) -> None:
    clone = ran.copy(tmp_path / "sbw")
    clone.set_params({"audit.folder": "data/llm/sweep/sae"})
    clone.dvc("repro", "audit")
    audited = load_table(clone.root / "data/metrics/audit/saes.parquet")
    assert sorted(audited["setting"]) == [3, 3, 8, 8]
    assert not set(audited["l0"]) & {3, 8}
    assert len(load_table(clone.root / "data/metrics/audit/agreements.parquet")) == 2


@pytest.mark.filterwarnings("ignore")
def test_each_key_makes_exactly_its_stages_stale(ran: Clone, tmp_path: Path) -> None:
    assert_stale(ran.copy(tmp_path / "sbw").root, LLM_PARAMS, STALE, "stages/llm/dvc.yaml", PIPELINE)


def test_going_back_to_a_former_value_runs_nothing(ran: Clone, tmp_path: Path) -> None:
    clone = ran.copy(tmp_path / "sbw")
    clone.set_params({"train.lr": 2e-3}, file=LLM_PARAMS)
    cells = [f"{PIPELINE}:train@{cell}" for cell in CELLS]
    assert stages_run(clone.dvc("repro", *cells)) == set(cells)
    clone.set_params({"train.lr": 1e-3}, file=LLM_PARAMS)
    assert stages_run(clone.dvc("repro", PIPELINE)) == set()
    for cell in CELLS:
        name = f"data/llm/sweep/sae/{cell}"
        assert weights(clone.root / name) == weights(ran.root / name)


def test_whoever_never_runs_it_is_not_asked_for_its_outputs(at_nine: tuple[Clone, str]) -> None:
    clone, _ = at_nine
    shutil.rmtree(clone.root / "data/toy")
    clone.dvc("exp", "apply", "nine")
    clone.dvc("checkout")
    assert (clone.root / "data/toy").exists()
    clone.open("llm")
    assert "data/llm/sweep/sae/low" in clone.dvc("checkout", ok=False)


def test_a_harvest_of_texts_of_ones_own_goes_on_after_a_kill(ran: Clone, tmp_path: Path) -> None:
    clone, target = ran.copy(tmp_path / "sbw"), "stages/llm/dvc.yaml:harvest"
    (tmp_path / "texts").mkdir()
    for i in range(300):
        (tmp_path / f"texts/{i}.txt").write_text(f"text {i}: " + " ".join(str(i * j) for j in range(150)))
    mine = {"corpus.source": str(tmp_path / "texts"), "corpus.held_out": 0.1, "harvest.tokens": 150_000}
    clone.set_params(mine, file=LLM_PARAMS)
    partial = clone.root / "data/llm/.activations.partial"
    with begun_and_killed(clone, target) as run:
        while not (kept := list(partial.glob("activations-*"))):
            assert run.poll() is None, "it is killed before it ends"
            time.sleep(0.005)
    kept, shards = list(partial.glob("activations-*")), math.ceil(150_000 / 15 / 1024)
    assert 0 < len(kept) < shards
    assert f"harvest: {len(kept)} of {shards} shards are there already" in clone.dvc("repro", target)
    assert not partial.exists()
    resumed = weights(clone.root / "data/llm/activations")
    shutil.rmtree(clone.root / "data/llm/activations")
    clone.dvc("repro", "--single-item", "--force", target)
    assert weights(clone.root / "data/llm/activations") == resumed
    assert len(resumed) == shards


def test_a_cluster_trains_each_cell_once_though_a_machine_dies(
    ran: Clone,
    machines: Machines,  # noqa: F811 (the fixture)
    tmp_path: Path,
) -> None:
    clone = Clone(ran.copy(tmp_path / "sbw").root, RAY)
    (tmp_path / "shared").mkdir()
    lock, yaml = clone.root / "stages/llm/sweep/dvc.lock", YAML()
    document = yaml.load(lock)
    for cell in CELLS:
        del document["stages"][f"train@{cell}"]
    yaml.dump(document, lock)
    shutil.rmtree(clone.root / ".dvc/cache/runs")
    before = {cell: weights(clone.root / f"data/llm/sweep/sae/{cell}") for cell in CELLS}
    shutil.rmtree(clone.root / "data/llm/sweep/sae")
    set_remote(clone, str(tmp_path / "shared"))
    with subprocess.Popen(
        [sys.executable, "-m", "sbw", "cluster", f"{PIPELINE}:train", "--address", machines.address],
        cwd=clone.root, env=clone.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as command:  # fmt: skip
        wait_until(lambda: bool(machines.running("b", "stages.llm.sweep.train")), "`b` trains a cell", command)
        machines.kill("b", "/raylet ")
        printed, _ = command.communicate(timeout=500)
    assert command.returncode == 0, printed
    assert "was lost with 127.0.0.3" in printed
    assert "2 cells ran, 0 were in the remote, 0 failed" in printed
    assert {cell: weights(clone.root / f"data/llm/sweep/sae/{cell}") for cell in CELLS} == before
    assert not stages_run(printed) & {f"{PIPELINE}:train@{cell}" for cell in CELLS}, "the head trained none"
