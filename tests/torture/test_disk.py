"""A disk that is full or may not be written to ends a stage in one line; `dvc checkout` has the old outputs."""

import re
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.conftest import Clone
from tests.pipeline.test_bad_input import outputs
from tests.processes import IN_ONE_PROCESS

IN_A_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
MAY_MOUNT = sys.platform == "linux" and (
    subprocess.run([*IN_A_NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
    .returncode == 0
)  # fmt: skip
pytestmark = pytest.mark.skipif(not MAY_MOUNT, reason="mounts a small file system, which is not allowed here")


def on_a_small_disk(clone: Clone, script: str) -> str:
    """What a script prints with data/ on a file system of its own, full but for 200 KiB; its end is kept."""
    prepare = """
set -e
cp --archive data kept
size=$(( $(find kept -type f -printf '(%s+4095)/4096+') $(find kept -type d | wc -l) + 60 ))
mount -t tmpfs -o size=$(( size * 4 ))k none data
cp --archive kept/. data
set +e
"""
    keep = "\nrm -rf kept && cp --archive data kept\n"
    printed = clone.run(*IN_A_NAMESPACE, "sh", "-c", prepare + script + keep)
    shutil.rmtree(clone.root / "data")
    (clone.root / "kept").rename(clone.root / "data")
    return printed


def while_read_only(command: str) -> str:
    return f"mount -o remount,ro data; {command}; mount -o remount,rw data"


def test_a_full_disk(reproduced: Clone) -> None:
    before = outputs(reproduced)
    original = (reproduced.root / "params.yaml").read_text()
    reproduced.set_params({"synthesize.eval_samples": 20_000})
    printed = on_a_small_disk(reproduced, "dvc repro synthesize@main; find data")
    assert "stages.synthesize: data/toy/main: could not be written: No space left on device" in printed
    assert "Traceback" not in printed
    assert ".partial" not in printed
    (reproduced.root / "params.yaml").write_text(original)
    reproduced.dvc("checkout")
    assert "Data and pipelines are up to date" in reproduced.dvc("status", "synthesize@main")
    assert outputs(reproduced) == before


def test_a_folder_that_may_not_be_written_to(reproduced: Clone) -> None:
    before = outputs(reproduced)
    stages = ["collect_l0", "synthesize main", "train", "evaluate train"]
    command = shlex.join([sys.executable, "-c", IN_ONE_PROCESS, *stages])
    printed = on_a_small_disk(reproduced, while_read_only(command))
    assert len(re.findall(r": data/\S+: could not be written: Read-only file system$", printed, re.M)) == len(stages)
    assert "Traceback" not in printed
    assert outputs(reproduced) == before
