"""Git and DVC on the head, the machine of the command, before and after the cells run."""

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
_OPENED = Path("stages/.dvcignore")


class Remote(NamedTuple):
    """DVC's default remote in the commit."""

    name: str
    url: str

    @property
    def folder(self) -> str | None:
        """Its folder, if it is one that machines share."""
        return self.url if "://" not in self.url else None


def plan(groups: Sequence[str]) -> Plan:
    """The plan for the cells of these groups, from DVC's status; raises as `make_plan` and `dvc`."""
    graph = read_graph(dvc("dag", "--dot"))
    make_plan(graph, {}, groups)  # refuses unknown groups before DVC hashes anything
    return make_plan(graph, json.loads(dvc("status", "--json", "--with-deps", *groups)), groups)


def require_committed() -> str:
    """The commit that the machines run: HEAD, or a UserError that lists changed files other than stages' outputs."""
    outputs = {out["path"] for lock in locks().values() for out in _outputs(lock)}
    changed = [
        entry[3:]
        for entry in git("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all").split("\0")
        if entry
    ]
    missing = [path for path in changed if Path(path).name != "dvc.lock" and not _within(path, outputs)]
    if missing:
        names = "".join(f"\n  {path}" for path in missing[:20]) + ("\n  …" if len(missing) > 20 else "")
        raise UserError(f"other machines run the commit; these files differ from it:{names}")
    return git("rev-parse", "HEAD").strip()


def require_remote() -> Remote:
    """The default remote in the committed `.dvc/config`, checked without a request.

    Raises:
        UserError: there is none, or other machines could not use it.
    """
    config = configparser.ConfigParser(interpolation=None)  # a URL may have a %
    config.read_string("\n".join(line.strip() for line in git("show", "HEAD:.dvc/config").splitlines()))
    name = config.get("core", "remote", fallback=None)
    url = name and config.get(f"'remote \"{name}\"'", "url", fallback=None)
    if not name or not url:
        raise UserError(
            "`.dvc/config` has no default remote in this commit: `dvc remote add --default NAME URL`, then commit it"
        )
    remote = Remote(name, url)
    if url.startswith("http"):
        raise UserError(f"the remote `{name}` is {url}: over HTTP DVC has no run cache, which carries the results")
    if remote.folder and not Path(url).is_absolute():
        raise UserError(f"the remote `{name}` is {url}: a folder that machines share needs an absolute path")
    if remote.folder and not Path(url).is_dir():
        raise UserError(f"the remote `{name}` is {url}, which is not a folder here: is it mounted?")
    return remote


def require_cached(plan: Plan) -> None:
    """Refuse, with a UserError, outputs with `cache: false` that the cells make, or that they or their sources read."""
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
    """Run what the cells depend on, and push it, which also tests the remote.

    Raises:
        UserError: a stage failed, or the remote refused; the message has the cause.
    """
    if plan.upstream:
        finish(plan.upstream)
    if plan.sources:
        printed, status = _run(["push", "--no-run-cache", *plan.sources])
        if status:
            raise UserError(f"the remote `{remote.name}` ({remote.url}): {explain(printed)}")


def finish(targets: Sequence[str]) -> None:
    """`dvc repro --pull` with its output shown: what the remote has is fetched, the rest runs here.

    Raises:
        UserError: it failed; DVC has printed the cause.
    """
    if subprocess.run([*DVC, "repro", "--pull", *targets], check=False).returncode:
        raise UserError(f"`dvc repro --pull {' '.join(targets)}` failed: see above")


def job(commit: str, remote: Remote, params: Cluster) -> Job:
    """All that the machines need to run cells of this commit."""
    with TemporaryDirectory() as folder:
        bundle = Path(folder, "bundle")
        git("bundle", "create", "--quiet", str(bundle), "HEAD")
        return Job(commit, bundle.read_bytes(), locks() | opened(), remote.folder, params.folder, params.cpus)


def locks() -> dict[str, bytes]:
    """The contents of the dvc.lock files beside the pipelines in git."""
    folders = [Path(path).parent for path in git("ls-files", "-z", "*dvc.yaml").split("\0") if path]
    return {str(lock): lock.read_bytes() for folder in folders if (lock := folder / "dvc.lock").exists()}


def opened() -> dict[str, bytes]:
    """The content of the file that opens pipelines to DVC, if there is one."""
    return {str(_OPENED): _OPENED.read_bytes()} if _OPENED.exists() else {}


def dvc(*command: str) -> str:
    """The output of a DVC command, or a UserError with DVC's message."""
    printed, status = _run(command)
    if status:
        raise UserError(f"`dvc {command[0]}`: {explain(printed)}")
    return printed


def git(*command: str) -> str:
    """The output of a git command, or a UserError with git's message."""
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
