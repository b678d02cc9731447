"""What comes from outside is data: it is never executed, fetched, put into a path or shown as markup."""

import ast
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

from sbw.auditing.audit import audit
from sbw.files import load_table, load_tensors, read_json
from sbw.pretrained.formats import read_files
from sbw.run.errors import UserError, printable
from sbw.run.loading import load_params
from sbw.saes.disk import load_sae, save_sae
from sbw.saes.untrained import initial_sae
from tests.conftest import ROOT, Clone
from tests.pipeline.test_bad_input import outputs, refusal

SOURCES = [path for folder in ("sbw", "stages") for path in sorted((ROOT / folder).rglob("*.py"))]
EXECUTES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
HOSTILE = [
    "../../escaped",
    "</script><script>document.title = 'owned'</script>",
    "\x1b[31mred\x1b[0m",
    "two\nlines | and `cells` $x$ **bold**",
    "x" * 10_000,
]


def test_nothing_that_executes_what_it_reads_is_used() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in getattr(node, "names", []) if isinstance(alias, ast.alias)]
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not EXECUTES & {name.split(".")[0] for name in names}, path
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in {"eval", "exec", "torch.save", "yaml.load"}, path
                keywords = {word.arg: ast.unparse(word.value) for word in node.keywords}
                assert ast.unparse(node.func) != "torch.load" or keywords.get("weights_only") == "True", path
                trusting = [word for word in node.keywords if word.arg in {"allow_pickle", "trust_remote_code"}]
                assert all(ast.unparse(word.value) == "False" for word in trusting), path


def test_params_are_read_as_plain_yaml(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(f"k: !!python/object/apply:os.mkdir ['{tmp_path}/made']")
    with pytest.raises(UserError, match=r"params\.yaml"):
        load_params(tmp_path)
    assert not (tmp_path / "made").exists()


class Executed:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.path,)


@pytest.mark.parametrize("write", [torch.save, lambda made, path: path.write_bytes(pickle.dumps(made))])
@pytest.mark.parametrize(
    ("name", "load"),
    [
        ("toy.safetensors", load_tensors),
        ("table.parquet", load_table),
        ("sae_weights.safetensors", lambda path: load_sae(path.parent)),
        ("cfg.json", lambda path: load_sae(path.parent)),
        ("params.yaml", lambda path: load_params(path.parent)),
        ("ae.pt", read_files),
        ("params.npz", read_files),
        ("stats.json", read_json),
    ],
)
def test_no_loader_unpickles(
    write: Callable[[Any, Path], Any], name: str, load: Callable[[Path], Any], tmp_path: Path
) -> None:
    save_sae(initial_sae(5, 10, 8, 0), tmp_path)
    (tmp_path / "config.json").write_text("{}")
    write(Executed(tmp_path / "made"), tmp_path / name)
    with pytest.raises(UserError, match=re.escape(str(tmp_path))):
        load(tmp_path / name)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_no_toy_no_experiment_and_no_stage(
    reproduced: Clone, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = outputs(reproduced)
    for stage in (
        ["synthesize", name],
        ["sweep", name],
        ["experiment", name],
        ["figures", name],
        ["experiment_figure", name],
    ):
        message = refusal(reproduced, stage, monkeypatch)
        assert "must be one of" in message
        assert len(message) < 3000
        assert "\x1b" not in message
    reproduced.set_params({"toys": {name: {"num_features": 5}}, "experiments": {name: {"kind": "grid"}}})
    assert "params.yaml was refused" in refusal(reproduced, ["synthesize", "main"], monkeypatch)
    assert outputs(reproduced) == before


def test_hostile_names_of_the_directory_are_shown_as_text(reproduced: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    releases = get_pretrained_saes_directory().values()
    known = next(one for one in releases if any(one.expected_l0.values()) and any(one.neuronpedia_id.values()))
    directory = {"known": known, **{str(i): _renamed(known, name) for i, name in enumerate(HOSTILE)}}
    monkeypatch.setattr("sae_lens.loading.pretrained_saes_directory.get_pretrained_saes_directory", lambda: directory)
    monkeypatch.setattr("sbw.pretrained.directory.get_pretrained_saes_directory", lambda: directory)
    for stage in (["collect_l0"], ["series"], ["report"]):
        reproduced.stage_here(monkeypatch, *stage)
    reproduced.stage_here(monkeypatch, "figures", "pretrained")
    for figure in (reproduced.root / "plots/pretrained").iterdir():
        ElementTree.parse(figure)
    saes = load_table(reproduced.root / "data/pretrained/l0.parquet")
    assert saes["model"].nunique() == len(HOSTILE) + 1
    assert saes["model"].map(len).max() == 200
    for path in (reproduced.root / "plots").rglob("*"):
        if path.suffix in {".csv", ".svg", ".html", ".md"}:
            text = path.read_text(encoding="utf-8")
            assert "<script>document" not in text, path
            assert "\x1b" not in text, path
    assert not (reproduced.root.parent / "escaped").exists()


def _renamed(release: Any, name: str) -> Any:
    def renamed(ids: dict[str, Any]) -> dict[str, Any]:
        return {f"{name}{sae_id}": value for sae_id, value in ids.items()}

    parts = {
        part: renamed(getattr(release, part))
        for part in ("saes_map", "expected_l0", "expected_var_explained", "neuronpedia_id")
    }
    return SimpleNamespace(release=name, repo_id=name, model=name, **parts)


@pytest.mark.parametrize("name", [name for name in HOSTILE if "/" not in name and len(name) < 200])
def test_hostile_names_of_folders_and_models_are_shown_as_text(tmp_path: Path, name: str) -> None:
    sae = initial_sae(5, 10, 8, 0)
    sae.cfg.metadata.model_name = name
    save_sae(sae, tmp_path / name / "l0=5")
    saes = audit(tmp_path).saes
    shown = "".join([*saes["sae"], *saes["family"]])
    assert shown.isprintable()
    assert repr(name)[1:-1] in shown


def test_terminals_are_shown_no_control_characters_and_no_endless_line() -> None:
    assert printable("a\x1b[31m\nb\x07é") == "a\\x1b[31m\nb\\x07é"
    assert len(printable("x" * 10_000)) == 2001


def test_the_lock_pins_every_package_to_one_release_of_the_index() -> None:
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        assert re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.!]*", line), line
