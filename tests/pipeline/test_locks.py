"""Committed locks are of runs of the code and params that are there."""

import shutil
import subprocess
from pathlib import Path

import pytest
from dvc.repo import Repo

from tests.conftest import ROOT


@pytest.mark.filterwarnings("ignore")
def test_every_committed_lock_has_the_hashes_of_the_committed_code(tmp_path: Path) -> None:
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=True)
    for name in listed.stdout.split("\0")[:-1]:
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / name)
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    (tmp_path / "stages/.dvcignore").write_text("!/llm\n!/validation\n")
    with Repo(str(tmp_path)) as repo:
        locked = [stage for stage in repo.index.stages if (Path(stage.path).with_name("dvc.lock")).exists()]
        assert len(locked) > 50
        stale = {
            f"{stage.path_in_repo}, {stage.name}: {dep}"
            for stage in locked
            for dep in stage.deps
            if str(dep).startswith(("sbw", "stages", "requirements", "params")) and dep.status()
        }
    assert stale == set(), "run them again"
