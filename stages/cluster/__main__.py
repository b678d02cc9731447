"""Run the stale cells of some groups of stages on a Ray cluster; DVC's remote carries the results. See the README."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sbw.params import load_params
from sbw.params.cluster import Cluster
from stages.cli import printable
from stages.cluster import head
from stages.cluster.node import Job
from stages.cluster.plan import Plan, pipelines
from stages.cluster.progress import Progress

LOGS = Path("cluster_logs")
PROG = "python -m stages.cluster"


def main() -> None:
    parser = argparse.ArgumentParser(prog=PROG, description=__doc__)
    parser.add_argument(
        "groups", nargs="+", metavar="group", help="of stages, as DVC names them: sweep, experiment@jumprelu"
    )
    parser.add_argument(
        "--address", default="auto", help="of the Ray cluster (default: the one this machine is part of)"
    )
    parser.add_argument("--dry", action="store_true", help="print what would run where, and run nothing")
    arguments = parser.parse_args()
    try:
        cluster(arguments.groups, arguments.address, arguments.dry)
    except ModuleNotFoundError as error:
        sys.exit(f"{PROG}: {error}; `pip install --no-deps -r requirements-cluster.txt` has it")
    except (ValueError, OSError) as error:
        sys.exit(printable(f"{PROG}: {error}"))
    except KeyboardInterrupt:
        print(f"\n{PROG}: interrupted; finished cells are in the remote, and the same command goes on", file=sys.stderr)
        sys.exit(130)


def cluster(groups: Sequence[str], address: str, dry: bool) -> None:
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
    from stages.cluster.ray_tasks import connected, machines_with_room, run_cells

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


if __name__ == "__main__":
    main()
