"""Which SAEs are evaluated: folders and SAELens's directory, with clear refusals."""

from pathlib import Path

import pytest
from sae_lens.evals import get_saes_from_regex

from sbw.llm.model import Model
from sbw.llm.subjects import MATCH_COLUMNS, matching, require_fit, subjects
from sbw.run.errors import UserError
from tests.tiny import random_sae


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("k_100", "k_20", "deep/k_3"):
        random_sae().save_model(tmp_path / name)
    return tmp_path


def test_two_saes_of_one_name_are_refused(folder: Path) -> None:
    with pytest.raises(UserError, match=r"must have different names, got more than one k_20"):
        subjects(folder, [str(folder / "k_20")], "", ".*")


def test_the_directory_is_matched_as_by_saelens() -> None:
    patterns = "gpt2-small-res-jb.*", r"blocks\.[0-3]\.hook_resid_pre"
    found = matching(*patterns)
    assert list(found.columns) == MATCH_COLUMNS
    expected = [(release, sae_id) for release, sae_id, *_ in get_saes_from_regex(*patterns)]
    assert list(found[["release", "sae_id"]].itertuples(index=False, name=None)) == expected
    assert len(expected) > 3


def test_nothing_that_matches_is_refused() -> None:
    with pytest.raises(UserError, match="no SAE of SAELens's directory matches release 'gpt2' and SAE 'x'"):
        matching("gpt2", "x")
    with pytest.raises(UserError, match="is not a regular expression"):
        matching("(", "x")


def test_both_kinds_are_listed(folder: Path) -> None:
    found = subjects(folder, [], "gpt2-small-res-jb", r"blocks\.7\.hook_resid_pre")
    assert [subject.name for subject in found][-1] == "gpt2-small-res-jb/blocks.7.hook_resid_pre"
    assert len(found) == 4


def test_an_sae_of_another_model_is_refused(model: Model) -> None:
    sae = random_sae()
    require_fit(sae, "mine", model)
    sae.cfg.d_in = 32
    with pytest.raises(UserError, match=r"mine takes activations 32 wide, of tiny; those of `model` are 16"):
        require_fit(sae, "mine", model)
    sae.cfg.metadata.hook_name = "blocks.9.hook_out"
    with pytest.raises(UserError, match=r"`hook_name of mine`: the model has no hook 'blocks.9.hook_out'"):
        require_fit(sae, "mine", model)
