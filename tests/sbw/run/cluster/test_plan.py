"""The plan follows DVC's graph and status."""

import pytest

from sbw.run.cluster.plan import Graph, definition, is_member, make_plan, read_graph, uncached
from sbw.run.errors import UserError

DOT = """strict digraph {
"synthesize@main";
"sweep@9";
"sweep@11";
"evaluate@sweep";
"figures@tradeoff";
"train";
"synthesize@main" -> "sweep@9";
"synthesize@main" -> "sweep@11";
"synthesize@main" -> "train";
"sweep@9" -> "evaluate@sweep";
"sweep@11" -> "evaluate@sweep";
"evaluate@sweep" -> "figures@tradeoff";
}
"""
STALE = [{"changed deps": {"data/toy/main": "modified"}}]


@pytest.fixture
def graph() -> Graph:
    return read_graph(DOT)


def test_stale_cells_run_elsewhere_and_what_they_lead_to_here(graph: Graph) -> None:
    plan = make_plan(graph, {"sweep@11": STALE, "train": STALE}, ["sweep"])
    assert plan.sources == ["synthesize@main"]
    assert (plan.upstream, plan.cells, plan.up_to_date) == ([], ["sweep@11"], 1)
    assert plan.last == ["evaluate@sweep", "figures@tradeoff"]


def test_a_stale_source_runs_first_and_all_its_cells_may_follow(graph: Graph) -> None:
    plan = make_plan(graph, {"synthesize@main": STALE}, ["sweep", "train"])
    assert (plan.upstream, plan.cells) == (["synthesize@main"], ["sweep@9", "sweep@11", "train"])
    plan = make_plan(graph, {"synthesize@main": STALE}, ["evaluate"])
    assert plan.upstream == ["synthesize@main", "sweep@9", "sweep@11"]


def test_nothing_stale_is_nothing_to_do(graph: Graph) -> None:
    plan = make_plan(graph, {}, ["sweep"])
    assert (plan.upstream, plan.cells, plan.up_to_date, plan.last) == ([], [], 2, [])


def test_groups_that_depend_on_each_other_are_refused(graph: Graph) -> None:
    with pytest.raises(UserError, match=r"`figures@tradeoff` depends on `sweep@\d+`: name the group of one"):
        make_plan(graph, {}, ["sweep", "figures"])


def test_an_unknown_group_is_refused_with_those_that_there_are(graph: Graph) -> None:
    with pytest.raises(UserError, match=r"`swep` is not in the pipeline, which has: evaluate, figures, sweep, synth"):
        make_plan(graph, {}, ["swep"])


def test_a_group_is_not_the_beginning_of_a_name() -> None:
    assert [is_member(name, "sweep") for name in ("sweep", "sweep@9", "sweeper@9", "llm/dvc.yaml:sweep@9")] == [
        True, True, False, False,
    ]  # fmt: skip


def test_outputs_that_no_remote_carries() -> None:
    document = {
        "stages": {
            "sweep": {"matrix": {"k": [9]}, "outs": ["data/k=${item.k}"]},
            "evaluate": {"foreach": {}, "do": {"outs": ["data/a"], "metrics": [{"data/b.json": {"cache": False}}]}},
            "train": {"outs": [{"data/c": {"persist": True}}], "plots": [{"d.svg": {"cache": False}}]},
        }
    }
    kept_out = [uncached(definition(document, name)) for name in ("sweep@9", "x/dvc.yaml:evaluate@sweep", "train")]
    assert kept_out == [[], ["data/b.json"], ["d.svg"]]
