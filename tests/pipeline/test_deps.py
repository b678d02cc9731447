"""Each stage depends on the code that its numbers come from, and rooms import only those below."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from dvc.stage import PipelineStage

from sbw.params.figures import FAMILIES
from sbw.run.loading import load_params
from tests.conftest import ROOT, Clone
from tests.pipelines import every_pipeline

NO_NUMBER_DEPENDS_ON = (ROOT / "sbw/run", ROOT / "sbw/params")
"""How a stage runs, and the check of its params, whose values DVC tracks."""
ROOMS = [
    {"params"},
    {"run"},
    {"files"},
    {"toy"},
    {"synthesis"},
    {"saes"},
    {"metrics"},
    {"pretrained"},
    {"lockstep"},
    {"verdict"},
    {"llm"},
    {"figures"},
    {"report"},
    {"auditing"},
    {"__main__", "__init__"},
]
"""From the bottom to the top: a room imports itself and those below."""


def pipeline_stages() -> list[PipelineStage]:
    with every_pipeline() as repo:
        return list(repo.index.stages)


def names_imported(code: str) -> Iterator[str]:
    """The dotted names of all that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def imported(path: Path) -> Iterator[Path]:
    """The project's own modules that a file imports."""
    for name in names_imported(path.read_text()):
        module = ROOT / name.replace(".", "/")
        if name.split(".")[0] in ("sbw", "stages"):
            yield from (file for file in (module.with_suffix(".py"), module / "__init__.py") if file.exists())


def closure(entries: set[Path]) -> set[Path]:
    """The entries and all that they import, but for what no number depends on."""
    found: set[Path] = set()
    while entries:
        found |= entries
        modules = {module for entry in entries for module in imported(entry)} - found
        entries = {module for module in modules if not any(room in module.parents for room in NO_NUMBER_DEPENDS_ON)}
    return {module for module in found if module.name != "__init__.py"}


def entries_of(stage: PipelineStage) -> set[Path]:
    """The stage's own file, and the modules that it imports by a name out of its arguments."""
    _, _, module, *arguments = str(stage.cmd).split()
    entries = {ROOT / f"{module.replace('.', '/')}.py"}
    if module == "stages.figures":
        entries |= {ROOT / f"sbw/figures/{figure}.py" for figure in FAMILIES[arguments[0]]}
    if module == "stages.experiment_figure":
        entries.add(ROOT / f"sbw/figures/{load_params(ROOT).experiments[arguments[0]].kind}.py")
    if module in ("stages.experiment", "stages.evaluate") and arguments[0] not in ("train", "sweep"):
        entries.add(ROOT / f"sbw/saes/experiments/{load_params(ROOT).experiments[arguments[0]].kind}.py")
    return entries


def code_deps(stage: PipelineStage) -> set[Path]:
    names = [name for dep in stage.deps if (name := str(dep)).startswith(("sbw/", "stages/"))]
    return {ROOT / name for name in names if not name.endswith((".yaml", ".js"))}


@pytest.mark.filterwarnings("ignore")
def test_each_stage_depends_on_the_rooms_that_it_imports_and_on_no_other() -> None:
    for stage in pipeline_stages():
        needed, deps = closure(entries_of(stage)), code_deps(stage)
        missing = {module for module in needed if module not in deps and not deps & set(module.parents)}
        unused = {dep for dep in deps if dep not in needed and not any(dep in module.parents for module in needed)}
        assert (missing, unused) == (set(), set()), f"{stage.path_in_repo}: {stage.name}"


def test_rooms_import_downwards_alone() -> None:
    level = {room: height for height, rooms in enumerate(ROOMS) for room in rooms}
    for path in (ROOT / "sbw").rglob("*.py"):
        room = path.relative_to(ROOT / "sbw").parts[0].removesuffix(".py")
        names = [name for name in names_imported(path.read_text()) if name.startswith("sbw.")]
        others = {name.split(".")[1] for name in names} - {room}
        assert all(level[other] < level[room] for other in others), f"{path}: {others}"


def test_library_knows_neither_dvc_nor_the_stages() -> None:
    for path in (ROOT / "sbw").rglob("*.py"):
        assert not knows_the_pipeline(path.read_text()), path


@pytest.mark.parametrize("code", ["from dvc.repo import Repo", "import dvc.api", "from stages.train import main"])
def test_a_planted_import_of_dvc_or_of_a_stage_is_found(code: str) -> None:
    assert knows_the_pipeline(f"def f():\n    {code}\n")
    assert not knows_the_pipeline("from dvclive import Live\nimport stages_of_life\n")


def knows_the_pipeline(code: str) -> bool:
    return any(name.split(".")[0] in ("dvc", "stages") for name in names_imported(code))


def test_a_message_and_a_law_retrain_nothing_and_the_trainer_all_that_train(reproduced: Clone) -> None:
    train = {"train", "sweep@low", "sweep@near", "automatic_l0"}
    train |= {f"experiment@{name}" for name in load_params(reproduced.root).experiments}
    for name in ("sbw/run/errors.py", "sbw/params/base.py", "sbw/synthesis/laws.py"):
        _comment_on(reproduced, name)
    assert set(json.loads(reproduced.dvc("status", "--json"))) == {"synthesize@main", "synthesize@five"}
    _comment_on(reproduced, "sbw/lockstep/trainer.py")
    assert set(json.loads(reproduced.dvc("status", "--json"))) - {"synthesize@main", "synthesize@five"} == train


def _comment_on(clone: Clone, name: str) -> None:
    with (clone.root / name).open("a") as file:
        file.write("# other words\n")
