"""The pipeline of the language model tracks the params that its stages read."""

import ast
from pathlib import Path

import pytest
from dvc.dependency.param import ParamsDependency

from tests.conftest import ROOT
from tests.pipeline.test_deps import pipeline_stages


def sections_read(path: Path) -> set[str]:
    """The X of every `llm.X` in a stage."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)]
    return {node.attr for node in nodes if ast.unparse(node.value) == "llm"}


@pytest.mark.filterwarnings("ignore")
def test_each_stage_tracks_exactly_the_sections_that_it_reads() -> None:
    stages = [stage for stage in pipeline_stages() if stage.path_in_repo == "stages/llm/dvc.yaml"]
    assert len(stages) == 7
    for stage in stages:
        tracked = {name for dep in stage.deps if isinstance(dep, ParamsDependency) for name in dep.params}
        read = sections_read(ROOT / f"stages/llm/{stage.name}.py")
        assert {name.split(".")[0] for name in tracked} == read, stage.name
