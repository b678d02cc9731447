"""What there is to do: from what DVC says of its stages to the cells that run elsewhere, and what runs here."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sbw.run.errors import UserError

EDGE = re.compile(r'^"([^"]+)" -> "([^"]+)";?$', re.MULTILINE)
NODE = re.compile(r'^"([^"]+)";?$', re.MULTILINE)
Graph = dict[str, set[str]]
"""Of each stage, by its name, the stages whose outputs it reads."""


class Plan(NamedTuple):
    """Names of stages, each list in the order of the pipeline."""

    sources: list[str]
    """All that the cells depend on, however far up."""
    upstream: list[str]
    """Those of them that are stale, or may be once others have run: they run first, on this machine."""
    cells: list[str]
    """Those of the groups that are stale, or may be once `upstream` has run."""
    up_to_date: int
    """How many of the groups' stages are not."""
    last: list[str]
    """All that depends on the cells: it runs on this machine in the end."""


def read_graph(dot: str) -> Graph:
    """The graph that `dvc dag --dot` prints.

    Raises:
        UserError: there is no stage in it.
    """
    graph: Graph = {name: set() for name in NODE.findall(dot)}
    for source, target in EDGE.findall(dot):
        graph.setdefault(source, set())
        graph.setdefault(target, set()).add(source)
    if not graph:
        raise UserError("`dvc dag --dot` shows no stages")
    return graph


def make_plan(graph: Graph, stale: Mapping[str, Any], groups: Sequence[str]) -> Plan:
    """The plan for all cells of some groups; `stale` has what `dvc status --json` lists, by name.

    Raises:
        UserError: a group is not in the pipeline, or one of its cells depends on a cell of another, so that
            they cannot run at once.
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
    """Whether a stage is of a group (`sweep@9` of `sweep`), or is the one that is named."""
    return name == group or name.startswith(f"{group}@")


def pipelines(names: Sequence[str]) -> list[str]:
    """The pipeline files that stages are of: that of `stages/llm/dvc.yaml:train@5` is `stages/llm/dvc.yaml`."""
    return sorted({name.rpartition(":")[0] or "dvc.yaml" for name in names})


def definition(document: Mapping[str, Any], stage: str) -> Mapping[str, Any]:
    """What a pipeline file, `document`, says of a stage or of all of its group."""
    entry = document["stages"][stage.rpartition(":")[2].partition("@")[0]]
    return entry.get("do", entry)


def outputs(body: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The outputs that a stage's definition names, each with its options."""
    outs = [out for kind in ("outs", "metrics", "plots") for out in body.get(kind, [])]
    return {path: options for out in outs for path, options in (out.items() if isinstance(out, dict) else [(out, {})])}


def uncached(body: Mapping[str, Any]) -> list[str]:
    """The outputs that a stage's definition keeps out of DVC's cache, so that no remote carries them."""
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
