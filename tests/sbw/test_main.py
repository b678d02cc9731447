"""The command `sbw` works in any folder, without DVC and without a network."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

from sbw.__main__ import main
from sbw.files import load_table
from sbw.saes.disk import save_sae
from sbw.saes.untrained import initial_sae
from tests.conftest import ROOT

ALONE = """
import runpy, socket, sys
sys.modules["dvc"] = None  # an import of it fails

def refuse(*address):
    raise AssertionError(f"looks for {address}")

socket.socket.connect = socket.getaddrinfo = refuse
runpy.run_module("sbw", run_name="__main__", alter_sys=True)
"""

KNOWN = (
    "sae_weights.safetensors, sae.safetensors, ae.pt, params.npz, params.safetensors, final.safetensors, *.sae.pt, "
    "*.pt, *.pth"
)


def sbw(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    done = subprocess.run([sys.executable, "-c", ALONE, *arguments], cwd=folder, capture_output=True, text=True,
                          env={**environment, "PYTHONPATH": str(ROOT)}, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for k in (3, 4, 5):
        save_sae(initial_sae(k, 16, 8, k), tmp_path / f"mine/k={k}")
    return tmp_path


def test_an_audit_prints_one_row_per_sae_and_a_verdict_and_writes_tables(folder: Path) -> None:
    printed = sbw(folder, "audit", "mine", "--out", "out").stdout.splitlines()
    assert printed[0].split() == ["SAE", "L0", "c_dec", "/", "null"]
    assert [line.split()[:2] for line in printed[1:4]] == [["k=3", "3"], ["k=4", "4"], ["k=5", "5"]]
    assert printed[4:6] == ["", "batchtopk, 16 -> 8 latents"]
    assert "c_dec" in printed[6]
    assert len(load_table(folder / "out/saes.parquet")) == 3
    assert json.loads((folder / "out/verdicts.json").read_text())["batchtopk, 16 -> 8 latents"]["level"] == 0.9
    assert {path.name for path in folder.iterdir()} == {"mine", "out"}


def here(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str | int | None:
    """The command in this process: its exit status or message."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["sbw", *arguments])
    try:
        main()
    except SystemExit as end:
        return end.code
    return 0


def test_of_a_folder_s_own_figures_an_audit_replaces_those_of_an_earlier_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = ("evidence_of_it.svg", "audit.final.pdf", "audit.png")
    for name in (*theirs, "evidence_7.svg"):
        (folder / name).touch()
    assert here(folder, monkeypatch, "audit", "mine", "--out", ".") == 0
    assert {path.name for path in folder.iterdir()} == {
        "mine", *theirs, "audit.svg", "audit.pdf", "audit.html", "verdicts.json",
        "saes.parquet", "agreements.parquet", "evidence.parquet",
    }  # fmt: skip


def test_an_audit_of_several_folders_as_json(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here(folder, monkeypatch, "audit", "mine/k=3", "mine/k=4", "--json")
    document = json.loads(capsys.readouterr().out)
    assert [(row["sae"], row["l0"]) for row in document["saes"]] == [("mine/k=3", 3), ("mine/k=4", 4)]
    assert list(document["families"]) == ["batchtopk, 16 -> 8 latents"]


def test_an_sae_that_is_left_out_shows_in_the_exit_status(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "mine/k=4/sae_weights.safetensors").write_bytes(b"broken")
    assert here(folder, monkeypatch, "audit", "mine") == 1
    printed = capsys.readouterr().out
    assert "\nLeft out: 1\nk=4: mine/k=4/sae_weights.safetensors is not a readable file of weights" in printed


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere", "sbw: nowhere: not found; SAEs on the Hugging Face hub are named by a pattern, as in 'nowhere*'"),
        ("empty", f"sbw: empty holds no SAE: no file in it is named {KNOWN}, with its config beside it"),
    ],
)
def test_a_folder_without_saes_ends_in_one_line(
    tmp_path: Path, path: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    assert here(tmp_path, monkeypatch, "audit", path) == message


def test_help_lists_every_verb_and_imports_no_torch(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "sbw", "audit", "--help"]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
    assert "a folder of SAEs, at any depth" in done.stdout
    assert "argparse" in done.stderr
    assert "torch" not in done.stderr
    verbs = sbw(tmp_path, "--help").stdout
    assert all(f"    {verb} " in verbs for verb in ("audit", "check", "cluster", "matches"))


def test_the_installed_command_is_this_one() -> None:
    module, name = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["sbw"].split(":")
    assert callable(getattr(import_module(module), name))


def test_an_installed_package_has_every_file(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "sbw", tmp_path / "sbw", ignore=shutil.ignore_patterns("__pycache__"))
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", "wheels", "."]
    subprocess.run([sys.executable, "-m", "pip", *build], cwd=tmp_path, check=True)
    (wheel,) = (tmp_path / "wheels").iterdir()
    files = {str(path.relative_to(tmp_path)) for path in (tmp_path / "sbw").rglob("*") if path.is_file()}
    assert files <= set(zipfile.ZipFile(wheel).namelist())
