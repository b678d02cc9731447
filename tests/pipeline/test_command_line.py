"""Values and folders as they are given on DVC's command line."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from dvc.utils.hydra import apply_overrides, to_hydra_overrides
from ruamel.yaml import YAML

from sbw.params import Llm, Params
from sbw.run.errors import UserError
from sbw.run.loading import load_document
from sbw.saes.disk import save_sae
from sbw.saes.untrained import initial_sae
from tests.conftest import LLM_PARAMS, ROOT, Clone, stages_run
from tests.pipelines import leaves

FILES = [str(path.relative_to(ROOT)) for pattern in ("", "[a-z]*/**/") for path in ROOT.glob(f"{pattern}params.yaml")]


def _as_yaml(value: Any) -> str:
    """The value as in a YAML list of one line."""
    return yaml.safe_dump([value], default_flow_style=True, width=10**6).strip()[1:-1]


@pytest.mark.parametrize("file", FILES)
def test_every_default_can_be_given_back_as_yaml_has_it(file: str, tmp_path: Path) -> None:
    copy = tmp_path / "params.yaml"
    shutil.copy(ROOT / file, copy)
    defaults = YAML(typ="safe").load(copy)
    given = {f"{key}={_as_yaml(value)}": value for key, value in leaves(defaults)}
    assert [override.value() for override in to_hydra_overrides(list(given))] == list(given.values())
    apply_overrides(copy, list(given))
    assert YAML(typ="safe").load(copy) == defaults


def test_a_folder_that_a_run_does_not_have_is_refused_by_key(fresh: Clone) -> None:
    """A run with a clone of its own, as `--queue` makes one later and `--temp` at once."""
    save_sae(initial_sae(5, 10, 8, 0), fresh.root / "mine/k=5")
    of_mine = ("exp", "run", "--temp", "audit", "-S", "audit.folder=mine")
    assert "`audit.folder`: mine not found" in fresh.dvc(*of_mine, ok=False)
    assert "audit" in stages_run(fresh.dvc(*of_mine, "--copy-paths", "mine"))


def test_the_home_folder_is_known_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    values = YAML(typ="safe").load(ROOT / LLM_PARAMS)
    values["model"], values["evals"]["folders"] = "~/model", ["~/saes"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    llm = load_document(Llm, tmp_path / "params.yaml")
    assert [llm.model, *llm.evals.folders] == [os.path.join(tmp_path, "model"), os.path.join(tmp_path, "saes")]
    values = YAML(typ="safe").load(ROOT / "params.yaml")
    values["audit"]["folder"] = "~/saes"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(UserError, match=rf"`audit\.folder`: DVC does not expand `~`: write {tmp_path}/saes"):
        load_document(Params, tmp_path / "params.yaml")
