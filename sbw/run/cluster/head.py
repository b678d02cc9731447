"""What the machine that gives the command does with git and DVC, before the cells run and after them."""

import configparser
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from ruamel.yaml import YAML

from sbw.params.cluster import Cluster
from sbw.run.cluster.faults import explain
from sbw.run.cluster.node import Job
from sbw.run.cluster.plan import Plan, definition, make_plan, read_graph, uncached
from sbw.run.errors import UserError

DVC = [sys.executable, "-m", "dvc"]


class Remote(NamedTuple):
    """DVC's default remote, as the commit has it."""

    name: str
    url: str

    @property
    def folder(self) -> str | None:
        """Its folder, where it is one that machines share."""
        return self.url if "://" not in self.url else None


def plan(groups: Sequence[str]) -> Plan:
    """What DVC says is to be done for the cells of these groups; raises as `make_plan` and `dvc` do."""
    graph = read_graph(dvc("dag", "--dot"))
    make_plan(graph, {}, groups)  # a group that is not there is refused before anything is hashed
    return make_plan(graph, json.loads(dvc("status", "--json", "--with-deps", *groups)), groups)


def require_committed() -> str:
    """The commit that the machines are to run: HEAD, if it has all that is here but stages' outputs.

    Raises:
        UserError: it has not; the message lists what is missing.
    """
    outputs = {out["path"] for lock in locks().values() for out in _outputs(lock)}
    changed = [
        entry[3:]
        for entry in git("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all").split("\0")
        if entry
    ]
    missing = [path for path in changed if Path(path).name != "dvc.lock" and not _within(path, outputs)]
    if missing:
        names = "".join(f"\n  {path}" for path in missing[:20]) + ("\n  …" if len(missing) > 20 else "")
        raise UserError(f"other machines get what is committed; these files are not, or not as they are:{names}")
    return git("rev-parse", "HEAD").strip()


def require_remote() -> Remote:
    """The default remote in the committed `.dvc/config`, checked as far as that goes without a request.

    Raises:
        UserError: there is none, or other machines could not use it.
    """
    config = configparser.ConfigParser()
    config.read_string("\n".join(line.strip() for line in git("show", "HEAD:.dvc/config").splitlines()))
    name = config.get("core", "remote", fallback=None)
    url = name and config.get(f"'remote \"{name}\"'", "url", fallback=None)
    if not name or not url:
        raise UserError(
            "`.dvc/config` has no default remote in this commit: `dvc remote add --default NAME URL`, commit"
        )
    remote = Remote(name, url)
    if url.startswith("http"):
        raise UserError(f"the remote `{name}` is {url}: over HTTP DVC has no run cache, which is what carries results")
    if remote.folder and not Path(url).is_absolute():
        raise UserError(f"the remote `{name}` is {url}: a folder that machines share needs an absolute path")
    if remote.folder and not Path(url).is_dir():
        raise UserError(f"the remote `{name}` is {url}, which is no folder here: mounted?")
    return remote


def require_cached(plan: Plan) -> None:
    """See that a remote can carry the outputs of the cells, and what they and their sources read of each other.

    Raises:
        UserError: one of these has `cache: false`.
    """
    names = [*plan.cells, *plan.sources]
    paths = {name: Path(name.rpartition(":")[0] or "dvc.yaml") for name in names}
    documents = {path: YAML(typ="safe").load(path) for path in set(paths.values())}
    read = {dep for name in names for dep in definition(documents[paths[name]], name).get("deps", [])}
    for name in names:
        kept_out = uncached(definition(documents[paths[name]], name))
        if missing := [path for path in kept_out if name in plan.cells or path in read]:
            where = f"`cache: false` in {paths[name]}"
            raise UserError(f"`{name}` keeps {', '.join(missing)} out of DVC's cache ({where}): no remote carries it")


def run_upstream(plan: Plan, remote: Remote) -> None:
    """Run what the cells depend on, and send it to the remote, which shows at once whether the remote takes anything.

    Raises:
        UserError: a stage failed, or the remote refused; the message says which and why.
    """
    if plan.upstream:
        finish(plan.upstream)
    if plan.sources:
        printed, status = _run(["push", "--no-run-cache", *plan.sources])
        if status:
            raise UserError(f"the remote `{remote.name}` ({remote.url}): {explain(printed)}")


def finish(targets: Sequence[str]) -> None:
    """`dvc repro --pull`, shown as it goes: what the remote has is fetched, the rest is run here.

    Raises:
        UserError: it failed; DVC has said why.
    """
    if subprocess.run([*DVC, "repro", "--pull", *targets], check=False).returncode:
        raise UserError(f"`dvc repro --pull {' '.join(targets)}` failed: see above")


def job(commit: str, remote: Remote, params: Cluster) -> Job:
    """What the machines need to run cells of this commit."""
    with TemporaryDirectory() as folder:
        bundle = Path(folder, "bundle")
        git("bundle", "create", "--quiet", str(bundle), "HEAD")
        return Job(commit, bundle.read_bytes(), locks(), remote.folder, params.folder, params.cpus)


def locks() -> dict[str, bytes]:
    """The contents of the dvc.lock files that lie beside a pipeline that git knows."""
    folders = [Path(path).parent for path in git("ls-files", "-z", "*dvc.yaml").split("\0") if path]
    return {str(lock): lock.read_bytes() for folder in folders if (lock := folder / "dvc.lock").exists()}


def dvc(*command: str) -> str:
    """What a DVC command prints.

    Raises:
        UserError: it failed; the message is DVC's own.
    """
    printed, status = _run(command)
    if status:
        raise UserError(f"`dvc {command[0]}`: {explain(printed)}")
    return printed


def git(*command: str) -> str:
    """What a git command prints.

    Raises:
        UserError: it failed; the message is git's own.
    """
    done = subprocess.run(["git", *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"`git {command[0]}`: {done.stderr.strip()}")
    return done.stdout


def _run(command: Sequence[str]) -> tuple[str, int]:
    done = subprocess.run([*DVC, *command], capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr if done.returncode else done.stdout), done.returncode


def _outputs(lock: bytes) -> list[dict[str, str]]:
    document = YAML(typ="safe").load(lock.decode()) or {}
    return [out for stage in document.get("stages", {}).values() for out in stage.get("outs", [])]


def _within(path: str, outputs: set[str]) -> bool:
    return any(str(folder) in outputs for folder in (Path(path), *Path(path).parents))
