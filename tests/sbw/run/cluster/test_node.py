"""A machine runs a cell, with real DVC and without Ray."""

import sys
from hashlib import md5
from pathlib import Path

import pytest

from sbw.params.cluster import Cluster
from sbw.run.cluster import head
from sbw.run.cluster.faults import explain
from sbw.run.cluster.node import Job, Outcome, run_cell
from tests.conftest import Clone
from tests.sbw.run.cluster.conftest import set_remote

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a stage die with its parent")


def test_a_remote_that_takes_nothing_costs_no_result(
    tiny: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, diary = tmp_path / "shared", tmp_path / "diary"
    shared.mkdir()
    diary.mkdir()
    monkeypatch.chdir(tiny.root)
    monkeypatch.setenv("DIARY", str(diary))
    monkeypatch.setenv("HOME", str(tmp_path))
    set_remote(tiny, str(shared))
    for command in (["repro", "source"], ["push", "source"]):
        tiny.dvc(*command)
    params = Cluster(cpus=1, gpus=0, memory=1, tries=1, folder="machine")
    job = head.job(head.require_committed(), head.require_remote(), params)

    result = md5((tiny.root / "data/source").read_bytes() + b"1").hexdigest()
    place = shared / "files/md5" / result[:2]
    place.write_text("in the way of the folder that the result needs")
    refused = _outcome(job)
    assert refused.kind == "remote"
    assert "Not a directory" in explain(refused.log) or "File exists" in explain(refused.log), refused.log

    place.unlink()
    assert _outcome(job).kind == "found"
    assert (place / result[2:]).exists()
    assert (diary / "ended").read_text().split() == ["1"], "what had been computed was sent, not computed again"

    shared.rename(tmp_path / "unmounted")
    assert "was not found: is it mounted?" in explain(_outcome(job).log)


def _outcome(job: Job) -> Outcome:
    began, outcome = run_cell(job, "cell@1", "here")
    assert began == "here"
    assert isinstance(outcome, Outcome)
    return outcome
