"""A key of the params makes exactly the stages stale that read it, and those below them."""

import functools
from collections.abc import Iterator
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

from tests.conftest import ROOT, Clone, leaves
from tests.pipelines import every_pipeline

IN_FOCUS = {"train", "evaluate@train", "figures@train", "series"}
TOY_FIGURES = {"figures@toy"}
RECOMMENDED = {"recommend", "figures@recommendation", "report"}
AUTOMATIC = {"automatic_l0", "figures@automatic_l0", "report"}
MEASURED = {"evaluate@sweep", "series"} | RECOMMENDED | {"figures@sweep"}
SWEEP = {"sweep@low", "sweep@near", "audit"} | MEASURED
EXPERIMENTS = ["finetune", "transition", "jumprelu", "mixing"]


def experiment(name: str) -> set[str]:
    """The stages of an experiment, and what they end in."""
    of_it = {f"{stage}@{name}" for stage in ("experiment", "evaluate_experiment", "experiment_figure")}
    return of_it | {"report", "series"}


ON_MAIN = experiment("finetune") | experiment("transition") | experiment("jumprelu")
ON_FIVE = experiment("mixing")
MEASURES = {stage for name in EXPERIMENTS for stage in experiment(name) if not stage.startswith("experiment@")}
TRAINED = IN_FOCUS | SWEEP | ON_MAIN | ON_FIVE | AUTOMATIC
STALE = {
    "k": IN_FOCUS,
    "collect_l0.*": {"collect_l0", "series", "figures@pretrained", "report"},
    "toys.main.*": {"synthesize@main"} | TOY_FIGURES | IN_FOCUS | SWEEP | ON_MAIN | AUTOMATIC,
    "toys.five.*": {"synthesize@five"} | ON_FIVE,
    "synthesize.*": {"synthesize@main", "synthesize@five"} | TOY_FIGURES | TRAINED,
    "train.toy": TOY_FIGURES | IN_FOCUS | {"report"},
    "training.*": TRAINED,
    "train.*": IN_FOCUS,
    "sweep.cells.low": {"sweep@low"} | MEASURED,
    "sweep.cells.near": {"sweep@near", "audit"} | MEASURED,
    "sweep.*": SWEEP,
    **{f"experiments.{name}.*": experiment(name) for name in EXPERIMENTS},
    "automatic_l0.*": AUTOMATIC,
    "recommend.*": RECOMMENDED | {"audit"},
    "audit.folder": {"audit_folder", "audit"},
    "audit.*": {"audit"},
    "figures.pretrained.*": {"figures@pretrained", "report"},
    "figures.sweep.*": {"figures@sweep", "report"},
    "cluster.*": set(),
    "evaluate.*": {"evaluate@train", "figures@train", "series"} | MEASURED | MEASURES,
}


def other(value: Any) -> Any:
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


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("section", list(YAML(typ="safe").load(ROOT / "params.yaml")))
def test_each_key_makes_exactly_its_stages_stale(reproduced: Clone, section: str) -> None:
    path = reproduced.root / "params.yaml"
    original = path.read_bytes()
    keys = dict(leaves({section: YAML(typ="safe").load(original)[section]}))
    before, expected = plans(reproduced.root), {key: expected_stale(key) for key in keys}
    for key in filter(expected.get, keys):
        reproduced.set_params({key: other(keys[key])})
        assert stale(reproduced.root, before) == expected[key], key
        path.write_bytes(original)
    # Those that no stage reads, all at once.
    reproduced.set_params({key: other(value) for key, value in keys.items() if not expected[key]})
    assert stale(reproduced.root, before) == set()


def expected_stale(key: str) -> set[str]:
    expected = next((stages for pattern, stages in STALE.items() if fnmatchcase(key, pattern)), None)
    assert expected is not None, f"{key} is a param, but STALE lacks the stages that read it"
    return expected


def plans(root: Path) -> dict[str, Any]:
    """What each stage of the main pipeline runs, reads and writes; DVC finds none of them changed."""
    with Repo(str(root)) as repo, repo.lock:
        main = main_pipeline(repo)
        assert not [stage.name for stage in main.stages if stage.changed()]
        return {stage.name: plan(stage) for stage in main.stages}


def stale(root: Path, before: dict[str, Any]) -> set[str]:
    """The stages that run, read or write something else than before, or whose params have changed, and all that depend
    on their outputs. No file but those of params has changed, so no other need be looked at."""
    with Repo(str(root)) as repo, repo.lock, each_file_parsed_once():
        main = main_pipeline(repo)
        changed = [stage for stage in main.stages if plan(stage) != before.get(stage.name) or new_params(stage)]
        affected = [nx.ancestors(main.graph, stage) | {stage} for stage in changed]
        return {stage.name for stages in affected for stage in stages}


@contextmanager
def each_file_parsed_once() -> Iterator[None]:
    """A file of params is parsed once, not once per stage."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dvc.dependency.param.load_path", functools.cache(load_path))
        yield


def main_pipeline(repo: Repo) -> Index:
    """Of the root, without the others: half of the time goes into reading them."""
    return Index.from_file(repo, str(Path(repo.root_dir) / "dvc.yaml"))


def plan(stage: PipelineStage) -> tuple[str, list[str], list[str]]:
    files = [str(dep) for dep in stage.deps if not isinstance(dep, ParamsDependency)]
    return str(stage.cmd), sorted(files), sorted(str(out) for out in stage.outs)


def new_params(stage: PipelineStage) -> bool:
    return any(dep.status() for dep in stage.deps if isinstance(dep, ParamsDependency))


@pytest.mark.filterwarnings("ignore")  # of a library below DVC
def test_no_two_stages_of_any_pipeline_write_the_same() -> None:
    with every_pipeline() as repo:
        repo.index.check_graph()
