"""Whatever the params say, the pipeline runs, or refuses it by the key's name before any work."""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from sbw.params import Params
from sbw.run.errors import UserError
from sbw.run.loading import load_params
from tests.conftest import Clone

# Small enough for a run to take a second; what is drawn is put over it.
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
    "experiments": {},
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
    return checkout.copy(tmp_path_factory.mktemp("params") / "sbw")


@pytest.fixture(scope="module")
def small(clone: Clone) -> dict[str, Any]:
    clone.set_params(SMALL)
    return _read(clone.root / "params.yaml")


def test_every_document_runs_or_is_refused_by_name(
    clone: Clone,
    small: dict[str, Any],
    torture: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = {"ran": 0, "refused": 0}

    @settings(
        max_examples=500 if torture else 40,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def every_document(data: st.DataObject) -> None:
        document = copy.deepcopy(small)
        names = data.draw(st.lists(st.sampled_from(sorted(_names(small))), min_size=1, max_size=3, unique=True))
        for name in names:
            _change(document, name, data)
        outcome = _runs_or_is_refused(clone, document, names, monkeypatch)
        counts[outcome] += 1

    every_document()
    assert min(counts.values()) > 0
    print(counts)


def _change(document: dict[str, Any], name: str, data: st.DataObject) -> None:
    *parents, last = name.split(".")
    section = document
    for parent in parents:
        section = section.get(parent, {})
        if not isinstance(section, dict):
            return
    match data.draw(
        st.sampled_from(["value", "value", "value", "similar", "similar", "similar", "missing", "unknown"])
    ):
        case "value":
            section[last] = data.draw(values)
        case "similar":
            section[last] = data.draw(_similar(section.get(last)))
        case "missing":
            section.pop(last, None)
        case "unknown":
            section[last + "_"] = data.draw(values)


def _similar(value: Any) -> st.SearchStrategy[Any]:
    """Values of the same type, most of which are possible ones."""
    if isinstance(value, bool) or not isinstance(value, int | float | list):
        return st.just(value)
    if isinstance(value, list):
        return st.lists(_similar(value[0]) if value else numbers, max_size=4)
    return st.integers(1, 40) if isinstance(value, int) else st.floats(0.01, 1)


def _runs_or_is_refused(
    clone: Clone, document: dict[str, Any], names: list[str], monkeypatch: pytest.MonkeyPatch
) -> str:
    YAML(typ="safe").dump(document, clone.root / "params.yaml")
    params = _loaded(clone.root)
    if isinstance(params, str):
        keys = re.findall(r"`([^`]+)`", params)
        assert any(_concerns(key, name) for key in keys for name in names), (names, params)
        return "refused"
    try:
        for stage in _stages(params):
            clone.stage_here(monkeypatch, *stage)
    except SystemExit as stop:
        refusal = str(stop)  # of SAELens, which knows more of toys than params do
    else:
        return "ran"
    assert re.search(r"`toys\.\w+[.\w]*` was refused: ", refusal), (names, refusal)
    return "refused"


def _read(path: Path) -> dict[str, Any]:
    return YAML(typ="safe").load(path)


def _loaded(folder: Path) -> Params | str:
    """The params, or why they are refused."""
    try:
        return load_params(folder)
    except UserError as error:
        return str(error)


def _concerns(key: str, name: str) -> bool:
    """Whether a message about that key helps with a fault at that name: the same, or one holds the other."""
    key, name = re.sub(r"\[\d+\]", "", key), name.removesuffix("_")
    return key.startswith(name) or name.startswith(key) or name.split(".")[-1] in key


def _stages(params: Params) -> Iterator[list[str]]:
    yield from (["synthesize", toy] for toy in {params.train.toy, params.sweep.toy, "odd"} & set(params.toys))
    yield ["train"]
    yield from (["sweep", cell] for cell in params.sweep.cells)
    yield from (["evaluate", name] for name in ("train", "sweep"))
    yield ["recommend"]


def _names(section: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in section.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _names(value, f"{prefix}{key}.")
