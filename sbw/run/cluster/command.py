"""Run the stale cells of some groups of stages on a Ray cluster; DVC carries the results: docs/cluster.md."""

from collections.abc import Sequence
from pathlib import Path

from sbw.params.cluster import Cluster
from sbw.run.cluster import head
from sbw.run.cluster.node import Job
from sbw.run.cluster.plan import Plan, pipelines
from sbw.run.cluster.progress import Progress
from sbw.run.loading import load_params

LOGS = Path("cluster_logs")


def cluster(groups: Sequence[str], address: str, dry: bool) -> None:
    """Run the stale cells of the groups on the cluster at `address`; if `dry`, only print what would run where."""
    params = load_params(Path()).cluster
    commit, remote = head.require_committed(), head.require_remote()
    plan = head.plan(groups)
    head.require_cached(plan)
    print(f"commit {commit[:10]}, remote `{remote.name}` ({remote.url})\n{told(plan)}", flush=True)
    if dry:
        return
    if plan.cells:
        head.run_upstream(plan, remote)
        cells = head.plan(groups).cells if plan.upstream else plan.cells
        progress = run(cells, head.job(commit, remote, params), params, address)
        if progress.failed:
            raise ValueError(
                f"{told_of(progress)}; mended, the same command goes on with them: {', '.join(progress.failed)}"
            )
        print(told_of(progress), flush=True)
    head.finish(pipelines(groups))


def run(cells: Sequence[str], job: Job, params: Cluster, address: str) -> Progress:
    """Run the cells on the cluster at `address`, and say as they end what became of them."""
    from sbw.run.cluster.ray_tasks import connected, machines_with_room, run_cells

    with connected(address):
        room = f"a cell ({params.cpus} CPU, {params.gpus:g} GPU, {params.memory:g} GB)"
        print(f"{machines_with_room(params)} machines of the cluster have room for {room}", flush=True)
        return run_cells(cells, job, params, LOGS, lambda line: print(line, flush=True))


def told(plan: Plan) -> str:
    """The plan, as a reader wants it."""
    lines = [f"first, here: {_listed(plan.upstream)}"] if plan.upstream else []
    lines.append(f"on the cluster: {_listed(plan.cells)}; {plan.up_to_date} more are up to date")
    return "\n".join([*lines, f"last, here, with all else that is stale: {_listed(plan.last)}"])


def told_of(progress: Progress) -> str:
    """What became of the cells."""
    return f"{progress.ran.total()} cells ran, {progress.found} were there already, {len(progress.failed)} failed"


def _listed(names: Sequence[str]) -> str:
    groups: dict[str, list[str]] = {}
    for name in names:
        group, _, member = name.partition("@")
        groups.setdefault(group, []).append(member)
    told = [f"{group} ({' '.join(members)})" if members[0] else group for group, members in groups.items()]
    return f"{len(names)} stages: {', '.join(told)}" if names else "nothing"
