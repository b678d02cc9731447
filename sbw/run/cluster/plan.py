"""Plans a run from DVC's graph and status: the cells that run elsewhere, and the stages that run here."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sbw.run.errors import UserError

EDGE = re.compile(r'^"([^"]+)" -> "([^"]+)";?$', re.MULTILINE)
NODE = re.compile(r'^"([^"]+)";?$', re.MULTILINE)
Graph = dict[str, set[str]]
"""The stages whose outputs a stage reads, by its name."""


class Plan(NamedTuple):
    """Names of stages, each list in the order of the pipeline."""

    sources: list[str]
    """All ancestors of the cells."""
    upstream: list[str]
    """Sources that are stale or below a stale stage: they run first, on this machine."""
    cells: list[str]
    """Members of the groups that are stale or below a stale stage."""
    up_to_date: int
    """Number of the other members."""
    last: list[str]
    """All that depends on the cells: it runs last, on this machine."""


def read_graph(dot: str) -> Graph:
    """The graph that `dvc dag --dot` prints, or a UserError if it has no stages."""
    graph: Graph = {name: set() for name in NODE.findall(dot)}
    for source, target in EDGE.findall(dot):
        graph.setdefault(source, set())
        graph.setdefault(target, set()).add(source)
    if not graph:
        raise UserError("`dvc dag --dot` shows no stages")
    return graph


def make_plan(graph: Graph, stale: Mapping[str, Any], groups: Sequence[str]) -> Plan:
    """The plan for all cells of some groups; `stale` is the output of `dvc status --json`.

    Raises:
        UserError: a group is not in the pipeline, or a cell depends on another, so that they cannot run at once.
    """
    members = [name for name in graph if any(is_member(name, group) for group in groups)]
    for group in groups:
        _require_known(graph, group)
    sources = {name: _closure(graph, name) for name in members}
    for name in members:
        for source in sources[name] & set(members):
            raise UserError(f"`{name}` depends on `{source}`: name the group of one of them, then that of the other")
    above = set().union(*sources.values())
    to_run = {name for name in graph if (_closure(graph, name) | {name}) & set(stale)}
    cells = [name for name in members if name in to_run]
    return Plan(
        sources=[name for name in graph if name in above],
        upstream=[name for name in graph if name in above & to_run],
        cells=cells,
        up_to_date=len(members) - len(cells),
        last=[name for name in graph if _closure(graph, name) & set(cells)],
    )


def is_member(name: str, group: str) -> bool:
    """Whether a stage is `group` or a member of it (`sweep@9` of `sweep`)."""
    return name == group or name.startswith(f"{group}@")


def pipelines(names: Sequence[str]) -> list[str]:
    """The pipeline files of stages: that of `stages/llm/dvc.yaml:train@5` is `stages/llm/dvc.yaml`."""
    return sorted({name.rpartition(":")[0] or "dvc.yaml" for name in names})


def definition(document: Mapping[str, Any], stage: str) -> Mapping[str, Any]:
    """The definition of a stage, or of its group, in the pipeline file `document`."""
    entry = document["stages"][stage.rpartition(":")[2].partition("@")[0]]
    return entry.get("do", entry)


def outputs(body: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The outputs in a stage's definition, each with its options."""
    outs = [out for kind in ("outs", "metrics", "plots") for out in body.get(kind, [])]
    return {path: options for out in outs for path, options in (out.items() if isinstance(out, dict) else [(out, {})])}


def uncached(body: Mapping[str, Any]) -> list[str]:
    """The outputs with `cache: false`, which no remote carries."""
    return [path for path, options in outputs(body).items() if not options.get("cache", True)]


def _require_known(graph: Graph, group: str) -> None:
    if not any(is_member(name, group) for name in graph):
        known = sorted({name.partition("@")[0] for name in graph})
        raise UserError(f"`{group}` is not in the pipeline, which has: {', '.join(known)}")


def _closure(graph: Graph, name: str) -> set[str]:
    found: set[str] = set()
    new = set(graph[name])
    while new:
        found |= new
        new = set().union(*(graph[source] for source in new)) - found
    return found
