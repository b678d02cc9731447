"""What pip installs is what requirements.sha256 lists, or `make environment` leaves nothing behind."""

import hashlib
import json
import re
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from stages.installed import main
from tests.conftest import ROOT, Clone

WHEEL = "tiny-1.0-py3-none-any.whl"


def listed() -> set[tuple[str, str]]:
    """Names, as PEP 503 normalises them, and versions of the files of requirements.sha256."""
    files = [line.split("  ")[1] for line in (ROOT / "requirements.sha256").read_text().splitlines()]
    parts = [re.fullmatch(r"(.+?)-(\d[^-+]*)(\+cpu)?(-.*\.whl|\.tar\.gz|\.zip)", file) for file in files]
    return {(re.sub(r"[-_.]+", "-", part[1]).lower(), part[2]) for part in parts if part}


@pytest.mark.parametrize("lock", sorted(path.name for path in ROOT.glob("requirements*.txt")))
def test_every_pin_has_a_file_that_is_listed(lock: str) -> None:
    pins = [line.split("==") for line in (ROOT / lock).read_text().splitlines() if "==" in line]
    assert pins
    assert {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in pins} <= listed()


def make_wheel(folder: Path) -> str:
    """A package of nothing; returns its digest."""
    folder.mkdir()
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny-1.0.dist-info/RECORD", "")
    return hashlib.sha256((folder / WHEEL).read_bytes()).hexdigest()


def test_an_environment_with_a_file_that_is_not_listed_is_removed(tmp_path: Path) -> None:
    root = tmp_path / "clone"
    (root / "stages").mkdir(parents=True)
    for name in ("Makefile", "stages/__init__.py", "stages/installed.py"):
        shutil.copy(ROOT / name, root / name)
    digest = make_wheel(tmp_path / "wheels")
    clone = Clone(root, {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "wheels")})
    (root / "requirements.txt").write_text("tiny==1.0\n")
    (root / "requirements.sha256").write_text(f"{digest[::-1]}  {WHEEL}\n")
    assert f"{digest}  {WHEEL}" in clone.run("make", f"PYTHON={sys.executable}", "environment", ok=False)
    assert not (root / ".venv").exists()
    (root / ".venv").mkdir()
    (root / ".venv/.unchecked").touch()  # as a kill in the middle of the installation leaves it
    clone.run("make", "help")
    assert not (root / ".venv").exists()


def test_what_is_not_listed_is_refused_but_for_companions_of_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("requirements.sha256").write_text(f"{'0' * 64}  {WHEEL}\n")
    write_report(("tiny", "0" * 64), ("nvidia-nccl-cu13", "1" * 64), ("triton", "2" * 64))
    main(Path("report.json"))
    assert "nvidia-nccl-cu13, triton" in capsys.readouterr().out
    write_report(("tiny", "0" * 64), ("tritonx", "1" * 64))
    with pytest.raises(SystemExit, match="1" * 64 + r"  tritonx\+cpu\.whl"):
        main(Path("report.json"))


def write_report(*files: tuple[str, str]) -> None:
    Path("report.json").write_text(json.dumps({"install": [installed(*file) for file in files]}))


def installed(package: str, digest: str) -> dict[str, Any]:
    """An entry of pip's report."""
    info = {"url": f"https://index/{package}%2Bcpu.whl", "archive_info": {"hashes": {"sha256": digest}}}
    return {"metadata": {"name": package}, "download_info": info}
