"""`sbw check` removes what a kill left of DVC's lock and nothing else, and refuses what has no commit."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import zc.lockfile

from sbw.run.check import check, remove_broken
from sbw.run.errors import UserError
from tests.conftest import Clone
from tests.pipeline.test_bad_input import refusal

WHOLE = '{"write": {}, "read": {}}'


def test_dvc_runs_again_after_a_kill_in_its_lock(reproduced: Clone) -> None:
    rwlock = reproduced.root / ".dvc/tmp/rwlock"
    rwlock.write_text('{"write": {"/data')
    (reproduced.root / "data/pretrained/l0.parquet").unlink()
    assert "Unable to read RWLock-file" in reproduced.dvc("repro", "collect_l0", ok=False)
    assert "removed" in reproduced.sbw("check")
    reproduced.dvc("repro", "collect_l0")


def test_an_archive_without_a_commit_is_refused_before_any_work(fresh: Clone) -> None:
    shutil.rmtree(fresh.root / ".git")
    alone = replace(fresh, variables={"GIT_CEILING_DIRECTORIES": str(fresh.root.parent)})
    for command in (["git", "init", "-q"], ["git", "add", "-A"]):
        assert "has no commit, which DVC needs" in alone.sbw("check", ok=False)
        alone.run(*command)
    alone.run("git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-qm", "state")
    alone.sbw("check")


def test_a_whole_lock_or_one_in_use_is_left(tmp_path: Path) -> None:
    rwlock = tmp_path / "rwlock"
    assert not remove_broken(rwlock)
    rwlock.write_text(WHOLE)
    assert not remove_broken(rwlock)
    rwlock.write_text(WHOLE + "}")
    used = zc.lockfile.LockFile(f"{rwlock}.lock")
    assert not remove_broken(rwlock)
    used.close()
    assert remove_broken(rwlock)
    assert not rwlock.exists()


def test_a_selection_of_no_public_sae_is_refused_before_any_work(fresh: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh.set_params({"collect_l0.models": ["nothing"]})
    message = "`collect_l0`: `models` must match one of: "
    with pytest.raises(UserError, match=message):
        check(fresh.root)
    assert message in refusal(fresh, ["train"], monkeypatch)
