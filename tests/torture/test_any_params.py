"""Whatever the params say, the pipeline runs to its end, or refuses it by the key's name before any training."""

import copy
import functools
import operator
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from dvc.repo import Repo
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from sbw.run.errors import UserError
from sbw.run.loading import load_params
from tests.conftest import Clone

MISSING = object()
# Small enough for a run to take seconds; what is drawn is put over it.
SMALL: dict[str, Any] = {
    "toys.main.num_features": 8,
    "toys.main.d_in": 12,
    "toys.main.orthogonalization_steps": 5,
    "synthesize.eval_samples": 300,
    "training.samples": 640,
    "training.batch_size": 64,
    "train.d_sae": 8,
    "train.log_every": 2,
    "k": 3,
    "sweep.d_sae": 8,
    "sweep.cells": {"near": [2, 3]},
    "sweep.seeds": [0],
    "evaluate.n": 3,
    "evaluate.bins": 10,
    "figures.sweep.projection.ns": [2, 3],
    "figures.sweep.cosine_heatmaps.ks": [2],
    "figures.sweep.histograms.ks": [2],
    "figures.sweep.low_l0_mse.ks": [2],
    "experiments.finetune.d_sae": 8,
    "experiments.finetune.seeds": [0],
    "experiments.jumprelu.d_sae": 8,
    "experiments.jumprelu.l0_coefficients": [0.1],
    "experiments.mixing.seeds": [0],
    "experiments.transition.d_sae": 8,
    "experiments.transition.seeds": [0],
    "experiments.transition.ramps": [{"initial_k": 5, "k": 3, "ramp_from": 0.2, "ramp_to": 0.75, "samples": 640}],
    "automatic_l0.d_sae": 8,
    "automatic_l0.starts": [2],
    "toys.odd": {
        "num_features": 12,
        "d_in": 6,
        "seed": 1,
        "orthogonalization_steps": 2,
        "firing": {"law": "zipf", "max": 0.5, "min": 0.1, "exponent": 0.5},
        "magnitude": {"law": "folded_normal", "mean": 1.0, "spread": 0.5, "std": 0.1},
        "correlation": {"law": "low_rank", "rank": 2, "scale": 0.3, "seed": 1},
        "hierarchy": {"total_root_nodes": 2, "branching_factor": [2, 3], "max_depth": 2},
    },
}
NOT_DRAWN = ("audit", "cluster", "figures")
"""Sections that name what lies outside, or that no number depends on."""
WITHOUT = {"audit", "plots_scripts"}
"""Stages that do not run, since they read none of the params that are drawn."""
SLOW = {"collect_l0", "experiment_figure", "figures", "report"}
"""Stages that run with --torture; the first also where its own section is changed."""

THREE_LATENTS = {"sweep.d_sae": 3, "sweep.cells": {"a": [2, 2.5], "b": [3.0]}, "evaluate.n": 1,
                 "figures.sweep.projection.ns": [1]}  # fmt: skip
CLOSE_VALUES = {
    "synthesize.eval_samples": 10,
    "automatic_l0.starts": [2, 2.0000001],
    "experiments.mixing.ks": [0.1, 2.0],
}

numbers = st.one_of(
    st.integers(-3, 70),
    st.floats(-2, 70, allow_nan=False),
    st.floats(0, 1),
    st.sampled_from([0, 1, -1, 0.5, 1e-9, 2**63, -(2**70), float("nan"), float("inf")]),
)
values = st.one_of(
    numbers,
    st.none(),
    st.booleans(),
    st.text(max_size=8),
    st.lists(numbers, max_size=4),
    st.dictionaries(st.text(max_size=4), numbers, max_size=2),
    st.sampled_from(["main", "auto", "cpu", "linear", "../main", "<script>", "\x1b[31m", "nine", "1e3", {}, []]),
)


@pytest.fixture(scope="module")
def clone(checkout: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    clone = checkout.copy(tmp_path_factory.mktemp("params") / "sbw")
    clone.set_params(SMALL)
    return clone


@pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # of DVC
@pytest.mark.filterwarnings("ignore:'stages.figures' found in sys.modules:RuntimeWarning")  # experiment_figure has it
def test_every_document_runs_or_is_refused_by_name(
    clone: Clone, torture: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = _read(clone.root / "params.yaml")
    clone.stage_here(monkeypatch, "collect_l0")
    refusals = []

    @settings(
        max_examples=300 if torture else 12,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(_changes(small))
    @example({"sweep.cells.near": [1.2345678, 2], "sweep.seeds": [10_000_000_000, 10_000_000_001, 2**53 - 1]})
    @example(THREE_LATENTS)
    @example(CLOSE_VALUES)
    @example({"collect_l0.models": ["nothing"]})
    def every_document(changes: dict[str, Any]) -> None:
        document = copy.deepcopy(small)
        for name, value in changes.items():
            _change(document, name, value)
        YAML(typ="safe").dump(document, clone.root / "params.yaml")
        sections = {name.split(".")[0] for name in changes}
        refusal = _run(clone, WITHOUT if torture else WITHOUT | SLOW - ({"collect_l0"} & sections), monkeypatch)
        keys = re.findall(r"`([^`]+)`", refusal)
        assert not refusal or any(_concerns(key, name) for key in keys for name in changes), (changes, refusal)
        refusals.append(refusal)

    every_document()
    assert {True, False} == {bool(refusal) for refusal in refusals}


def _changes(small: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """One or two params by their dotted names, with values that are wrong, possible, or `MISSING`."""

    def of_name(name: str) -> st.SearchStrategy[tuple[str, Any]]:
        similar = st.tuples(st.just(name), _similar(functools.reduce(operator.getitem, name.split("."), small)))
        wrong = st.tuples(st.just(name), values | st.just(MISSING)) | st.tuples(st.just(f"{name}_"), values)
        return similar | wrong

    names = [name for name in _names(small) if not name.startswith(NOT_DRAWN)]
    return st.lists(st.sampled_from(names).flatmap(of_name), min_size=1, max_size=2).map(dict)


def _similar(value: Any) -> st.SearchStrategy[Any]:
    """Values of the same type, most of which are possible ones."""
    if isinstance(value, bool) or not isinstance(value, int | float | list):
        return st.just(value)
    if isinstance(value, list):
        return st.lists(_similar(value[0]) if value else numbers, max_size=4)
    return st.integers(1, 40) if isinstance(value, int) else st.floats(0.01, 1)


def _change(document: dict[str, Any], name: str, value: Any) -> None:
    *parents, last = name.split(".")
    section: Any = document
    for parent in parents:
        section = section.get(parent) if isinstance(section, dict) else None
    if isinstance(section, dict):
        section[last] = value
        if value is MISSING:
            del section[last]


def _run(clone: Clone, without: set[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the stages as DVC would start them, but for some; why they were refused, or nothing."""
    for kind in ("toy", "sae", "metrics"):
        shutil.rmtree(clone.root / "data" / kind, ignore_errors=True)
    try:
        load_params(clone.root)
    except UserError as error:
        return str(error)
    with Repo(str(clone.root)) as repo:
        for stage in nx.dfs_postorder_nodes(repo.index.graph):
            _, _, module, *arguments = stage.cmd.split()
            name = module.removeprefix("stages.")
            if name in without:
                continue
            try:
                clone.stage_here(monkeypatch, name, *arguments)
            except SystemExit as stop:
                if name in ("collect_l0", "synthesize") or "`training.lr`" in str(stop):
                    return str(stop)
                raise AssertionError(f"{stage.cmd}: {stop}") from stop
            assert [str(out) for out in stage.outs if not out.exists] == [], stage.cmd
    return ""


def _read(path: Path) -> dict[str, Any]:
    return YAML(typ="safe").load(path)


def _concerns(key: str, name: str) -> bool:
    """Whether a message about that key helps with a fault at that name: the same, or one holds the other."""
    key, name = re.sub(r"\[\d+\]", "", key), name.removesuffix("_")
    return key.startswith(name) or name.startswith(key) or name.split(".")[-1] in key


def _names(section: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in section.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _names(value, f"{prefix}{key}.")
