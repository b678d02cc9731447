"""Which SAEs are evaluated: folders and SAELens's directory, with clear refusals."""

from pathlib import Path

import pytest
from sae_lens.evals import get_saes_from_regex

from sbw.llm.model import Model
from sbw.llm.subjects import MATCH_COLUMNS, Subject, in_folder, matching, require_fit, subjects
from tests.tiny import random_sae


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("k_100", "k_20", "deep/k_3"):
        random_sae().save_model(tmp_path / name)
    return tmp_path


def test_a_folder_gives_its_saes_in_the_order_of_their_numbers(folder: Path) -> None:
    assert [subject.name for subject in in_folder(folder)] == ["deep/k_3", "k_20", "k_100"]
    assert [subject.name for subject in in_folder(folder / "k_20")] == ["k_20"]
    assert in_folder(folder)[0].load().cfg.d_sae == 24


def test_a_folder_without_saes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no SAELens SAE: no folder in it has a cfg.json"):
        in_folder(tmp_path)


def test_two_saes_of_one_name_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"must have different names, got more than one k_20"):
        subjects(folder, [str(folder / "k_20")], "", ".*")


def test_the_directory_is_matched_as_by_saelens() -> None:
    patterns = "gpt2-small-res-jb.*", r"blocks\.[0-3]\.hook_resid_pre"
    found = matching(*patterns)
    assert list(found.columns) == MATCH_COLUMNS
    expected = [(release, sae_id) for release, sae_id, *_ in get_saes_from_regex(*patterns)]
    assert list(found[["release", "sae_id"]].itertuples(index=False, name=None)) == expected
    assert len(expected) > 3


def test_nothing_that_matches_is_refused() -> None:
    with pytest.raises(ValueError, match="no SAE of SAELens's directory matches release 'gpt2' and SAE 'x'"):
        matching("gpt2", "x")
    with pytest.raises(ValueError, match="is not a regular expression"):
        matching("(", "x")


def test_both_kinds_are_listed(folder: Path) -> None:
    found = subjects(folder, [], "gpt2-small-res-jb", r"blocks\.7\.hook_resid_pre")
    assert [subject.name for subject in found][-1] == "gpt2-small-res-jb/blocks.7.hook_resid_pre"
    assert len(found) == 4


def test_an_sae_that_cannot_be_fetched_says_how_to_allow_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match=r"cannot be fetched .*HF_HUB_OFFLINE is set, unset it to allow the look-up"):
        Subject("gpt2-small-res-jb/blocks.7.hook_resid_pre", None).load()


def test_an_sae_of_another_model_is_refused(model: Model) -> None:
    sae = random_sae()
    require_fit(sae, "mine", model)
    sae.cfg.d_in = 32
    with pytest.raises(ValueError, match=r"mine takes activations 32 wide, of tiny; those of `llm.model` are 16"):
        require_fit(sae, "mine", model)
    sae.cfg.metadata.hook_name = "blocks.9.hook_out"
    with pytest.raises(ValueError, match=r"`hook_name of mine`: the model has no hook 'blocks.9.hook_out'"):
        require_fit(sae, "mine", model)
