"""What is refused before any cell runs, each by its cause."""

import subprocess
import sys
from pathlib import Path

import pytest

from sbw.run.cluster import head
from sbw.run.cluster.plan import Plan
from sbw.run.cluster.ray_tasks import connected
from sbw.run.errors import UserError
from tests.conftest import Clone
from tests.sbw.run.cluster.conftest import CREDENTIALS, NO_CREDENTIALS, set_remote
from tests.torture.test_disk import IN_A_NAMESPACE, MAY_MOUNT

CELLS = Plan(sources=["source"], upstream=[], cells=["cell@1"], up_to_date=0, last=[])


@pytest.fixture
def here(tiny: Clone, monkeypatch: pytest.MonkeyPatch) -> Clone:
    monkeypatch.chdir(tiny.root)
    return tiny


def test_what_is_not_committed_is_listed_but_for_outputs_and_locks(here: Clone, tmp_path: Path) -> None:
    set_remote(here, str(tmp_path))
    lock = "stages:\n  table:\n    outs:\n    - path: data/table\n    - path: plots/a/b.svg\n"
    (here.root / "dvc.lock").write_text(lock)
    for output in ("plots/a/b.svg", "data/table"):
        (here.root / output).parent.mkdir(parents=True, exist_ok=True)
        (here.root / output).write_text("an output")
    assert head.require_committed() == here.run("git", "rev-parse", "HEAD").strip()
    for changed in ("params.yaml", "stages/cell.py", "stages/new.py"):
        with (here.root / changed).open("a") as file:
            file.write("\n")
    with pytest.raises(UserError, match=r"these files differ from it:\n  params.yaml\n  stages/cell.py\n  st"):
        head.require_committed()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://example.org/store", "over HTTP DVC has no run cache"),
        ("../store", "a folder that machines share needs an absolute path"),
        ("/nowhere/store", "which is not a folder here: is it mounted"),
    ],
)
def test_remotes_that_other_machines_cannot_use(here: Clone, url: str, message: str) -> None:
    set_remote(here, url)
    with pytest.raises(UserError, match=message):
        head.require_remote()


def test_a_url_may_have_a_per_cent_sign(here: Clone) -> None:
    set_remote(here, "s3://results/my%20store")
    assert head.require_remote().url == "s3://results/my%20store"


def test_no_remote(here: Clone) -> None:
    set_remote(here, "/tmp")
    here.run("git", "show", "HEAD:.dvc/config")
    (here.root / ".dvc/config").write_text("[core]\n    analytics = false\n")
    here.run("git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-qam", "none")
    with pytest.raises(UserError, match="has no default remote in this commit: `dvc remote add --default NAME URL`"):
        head.require_remote()


def test_outputs_outside_the_cache_are_refused(here: Clone) -> None:
    pipeline = here.root / "dvc.yaml"
    pipeline.write_text(
        pipeline.read_text().replace("data/cells/${item.n}\n", "data/cells/${item.n}:\n          cache: false\n")
    )
    with pytest.raises(
        UserError, match=r"`cell@1` keeps data/cells/\$\{item.n\} out of DVC's cache \(`cache: false` in"
    ):
        head.require_cached(CELLS)


def test_a_source_may_keep_out_of_the_cache_what_no_cell_reads(here: Clone) -> None:
    pipeline = here.root / "dvc.yaml"
    kept_out = "- data/source\n      - data/log:\n          cache: false\n"
    pipeline.write_text(pipeline.read_text().replace("- data/source\n", kept_out, 1))
    head.require_cached(CELLS)
    pipeline.write_text(pipeline.read_text().replace("- data/source\n", "- data/source:\n          cache: false\n", 1))
    with pytest.raises(UserError, match="`source` keeps data/source out of DVC's cache"):
        head.require_cached(CELLS)


@pytest.mark.parametrize(
    ("credentials", "cause"),
    [(CREDENTIALS, "it can't be reached"), (NO_CREDENTIALS, "its credentials are missing: set")],
)
def test_a_remote_that_takes_nothing_is_seen_before_any_cell_runs(
    here: Clone, monkeypatch: pytest.MonkeyPatch, credentials: dict[str, str], cause: str
) -> None:
    for name, value in credentials.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(here.root))
    set_remote(here, "s3://results/sbw", "http://127.0.0.1:9")
    subprocess.run([*head.DVC, "repro", "source"], check=True, capture_output=True)
    with pytest.raises(UserError, match=rf"the remote `results` \(s3://results/sbw\): {cause}"):
        head.run_upstream(CELLS, head.require_remote())


@pytest.mark.skipif(not MAY_MOUNT, reason="mounts a small file system, which is not allowed here")
def test_a_full_remote_is_seen_before_any_cell_runs(here: Clone, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    set_remote(here, str(shared))
    fill = f"mount -t tmpfs -o size=8k none {shared} && head -c 8192 /dev/zero > {shared}/filler"
    command = f"{fill} && {sys.executable} -m sbw cluster cell --address 127.0.0.1:9"
    printed = here.run(*IN_A_NAMESPACE, "sh", "-c", command, ok=False)
    assert f"the remote `results` ({shared}): it is full (DVC printed: " in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9", "nowhere"])
def test_an_address_without_a_cluster_is_refused(address: str) -> None:
    with pytest.raises(UserError, match=f"no Ray cluster at `{address}`"), connected(address):
        pass
