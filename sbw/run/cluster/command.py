"""The verb `sbw cluster` (docs/cluster.md)."""

from collections.abc import Sequence
from pathlib import Path

from sbw.params.cluster import Cluster
from sbw.run.cluster import head
from sbw.run.cluster.node import Job
from sbw.run.cluster.plan import Plan, pipelines
from sbw.run.cluster.progress import Progress
from sbw.run.errors import UserError
from sbw.run.loading import load_params

LOGS = Path("cluster_logs")


def cluster(groups: Sequence[str], address: str, dry: bool) -> None:
    """Run the stale cells of the groups on the cluster at `address`; if `dry`, only print what would run where."""
    params = load_params(Path()).cluster
    commit, remote = head.require_committed(), head.require_remote()
    plan = head.plan(groups)
    head.require_cached(plan)
    print(f"commit {commit[:10]}, remote `{remote.name}` ({remote.url})\n{describe(plan)}", flush=True)
    if dry:
        return
    if plan.cells:
        head.run_upstream(plan, remote)
        cells = head.plan(groups).cells if plan.upstream else plan.cells
        progress = run_on_cluster(cells, head.job(commit, remote, params), params, address)
        if progress.failed:
            raise UserError(f"{summary(progress)}; the same command runs them again: {', '.join(progress.failed)}")
        print(summary(progress), flush=True)
    head.finish(pipelines(groups))


def run_on_cluster(cells: Sequence[str], job: Job, params: Cluster, address: str) -> Progress:
    """Run the cells on the cluster at `address`, and print progress as they end."""
    from sbw.run.cluster.ray_tasks import connected, machines_with_room, run_cells

    with connected(address):
        room = f"a cell ({params.cpus} CPU, {params.gpus:g} GPU, {params.memory:g} GB)"
        print(f"{machines_with_room(params)} machines of the cluster have room for {room}", flush=True)
        return run_cells(cells, job, params, LOGS, lambda line: print(line, flush=True))


def describe(plan: Plan) -> str:
    """The plan in three lines."""
    lines = [f"first, here: {_listed(plan.upstream)}"] if plan.upstream else []
    lines.append(f"on the cluster: {_listed(plan.cells)}; {plan.up_to_date} more are up to date")
    return "\n".join([*lines, f"last, here, with all else that is stale: {_listed(plan.last)}"])


def summary(progress: Progress) -> str:
    """The counts of a run."""
    return f"{progress.ran.total()} cells ran, {progress.found} were in the remote, {len(progress.failed)} failed"


def _listed(names: Sequence[str]) -> str:
    groups: dict[str, list[str]] = {}
    for name in names:
        group, _, member = name.partition("@")
        groups.setdefault(group, []).append(member)
    listed = [f"{group} ({' '.join(members)})" if members[0] else group for group, members in groups.items()]
    return f"{len(names)} stages: {', '.join(listed)}" if names else "nothing"
