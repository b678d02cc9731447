"""DVC's view of the project's pipelines, and which of their stages a change of params makes stale."""

import copy
import functools
import operator
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo
from dvc.repo.index import Index
from dvc.stage import PipelineStage
from dvc.utils.serialize import load_path
from ruamel.yaml import YAML

from tests.conftest import ROOT


@contextmanager
def every_pipeline() -> Iterator[Repo]:
    """DVC's view of the project's pipelines, all of them open."""
    with tempfile.TemporaryDirectory() as place:
        for path in [ROOT / "dvc.yaml", ROOT / "params.yaml", ROOT / ".dvcignore", *ROOT.glob("stages/**/*.yaml")]:
            copied = Path(place, path.relative_to(ROOT))
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copied)
        Path(place, "stages/.dvcignore").write_text("!/llm\n!/validation\n")
        Path(place, ".dvc").mkdir()
        Path(place, ".dvc/config").write_text("[core]\n    no_scm = true\n")
        with Repo(place) as repo:
            yield repo


def assert_stale(root: Path, params: str, expected: Mapping[str, set[str]], *pipelines: str) -> None:
    """Each key of a file of params, changed alone, makes exactly the expected stages of the last pipeline stale.

    `expected` has them by patterns of keys, of which the first that matches holds.
    """
    path, before = root / params, plans(root, *pipelines)
    original = path.read_bytes()
    document = YAML(typ="safe").load(original)
    wanted = {key: _expected(key, expected) for key, _ in leaves(document)}
    unread = [key for key, stages in wanted.items() if not stages]
    for keys in [[key] for key, stages in wanted.items() if stages] + [unread]:
        _write_changed(path, document, keys)
        assert stale(root, before, *pipelines) == wanted[keys[0]], keys
    path.write_bytes(original)
    assert stale(root, before, *pipelines) == set()


def leaves(section: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted keys of the values in a section of params, and the values."""
    for key, value in section.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _expected(key: str, table: Mapping[str, set[str]]) -> set[str]:
    expected = next((stages for pattern, stages in table.items() if fnmatchcase(key, pattern)), None)
    assert expected is not None, f"{key} is a param, but the table lacks the stages that read it"
    return expected


def _write_changed(path: Path, document: dict[str, Any], keys: list[str]) -> None:
    changed = copy.deepcopy(document)
    for key in keys:
        *above, last = key.split(".")
        section = functools.reduce(operator.getitem, above, changed)
        section[last] = _other(section[last])
    YAML(typ="safe").dump(changed, path)


def _other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case [dict(), *_]:
            return value[:1]
        case list():
            return [*value, 26 if all(isinstance(item, (int, float)) for item in value) else "other"]
        case _:
            return f"{value}_other"


def plans(root: Path, *pipelines: str) -> dict[str, Any]:
    """What each stage of some pipelines runs, reads and writes."""
    with Repo(str(root)) as repo, repo.lock:
        return {stage.addressing: _plan(stage) for stage in _index(repo, pipelines).stages}


def stale(root: Path, before: dict[str, Any], *pipelines: str) -> set[str]:
    """The stages of the last pipeline that run, read or write something else than before, or whose params have
    changed, and all that depend on their outputs. No file but those of params has changed, so no other is looked at."""
    with Repo(str(root)) as repo, repo.lock, _each_file_parsed_once():
        index = _index(repo, pipelines)
        changed = [stage for stage in index.stages
                   if _plan(stage) != before.get(stage.addressing) or _new_params(stage)]  # fmt: skip
        affected = [nx.ancestors(index.graph, stage) | {stage} for stage in changed]
        return {stage.name for stages in affected for stage in stages if stage.path_in_repo == pipelines[-1]}


@contextmanager
def _each_file_parsed_once() -> Iterator[None]:
    """A file of params is parsed once, not once per stage."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dvc.dependency.param.load_path", functools.cache(load_path))
        yield


def _index(repo: Repo, pipelines: tuple[str, ...]) -> Index:
    """Of these pipelines, without the others: half of the time goes into reading them."""
    return Index.from_indexes(repo, (Index.from_file(repo, str(Path(repo.root_dir) / name)) for name in pipelines))


def _plan(stage: PipelineStage) -> tuple[str, list[str], list[str]]:
    files = [str(dep) for dep in stage.deps if not isinstance(dep, ParamsDependency)]
    return str(stage.cmd), sorted(files), sorted(str(out) for out in stage.outs)


def _new_params(stage: PipelineStage) -> bool:
    return any(dep.status() for dep in stage.deps if isinstance(dep, ParamsDependency))
