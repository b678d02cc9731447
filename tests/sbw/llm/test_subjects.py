"""Which SAEs are evaluated: folders and SAELens's directory, with clear refusals."""

from pathlib import Path

import pytest
from sae_lens import Transcoder, TranscoderConfig
from sae_lens.evals import get_saes_from_regex

from sbw.llm.model import Model
from sbw.llm.subjects import MATCH_COLUMNS, matching, require_fit, subjects
from sbw.run.errors import UserError
from tests.tiny import HOOK, WIDTHS, Z, random_sae


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
    with pytest.raises(UserError, match=rf"mine takes activations 32 wide, of tiny; those of `model` at {HOOK} are 16"):
        require_fit(sae, "mine", model)
    sae.cfg.metadata.hook_name = "blocks.9.hook_out"
    with pytest.raises(UserError, match=r"`hook_name of mine`: the model has no hook 'blocks.9.hook_out'"):
        require_fit(sae, "mine", model)


@pytest.mark.parametrize("hook", WIDTHS)
def test_an_sae_must_be_as_wide_as_its_own_hook(hook: str, model: Model) -> None:
    sae = random_sae(hook=hook)
    require_fit(sae, "mine", model)
    sae.cfg.d_in = 24
    reason = rf"mine takes activations 24 wide, of tiny; those of `model` at {hook} are {WIDTHS[hook]}"
    with pytest.raises(UserError, match=reason):
        require_fit(sae, "mine", model)


def test_an_sae_of_one_head_is_refused(model: Model) -> None:
    sae = random_sae(hook=Z)
    sae.cfg.metadata.hook_head_index = 0
    with pytest.raises(UserError, match=r"`hook_head_index` of mine must be null, for all heads together, got 0"):
        require_fit(sae, "mine", model)


def test_a_transcoder_is_refused(model: Model) -> None:
    transcoder = Transcoder(TranscoderConfig(d_in=16, d_out=16, d_sae=24, apply_b_dec_to_input=False))
    metadata = transcoder.cfg.metadata
    metadata.hook_name, metadata.hook_name_out = "blocks.0.mlp.hook_in", "blocks.0.mlp.hook_out"
    with pytest.raises(
        UserError, match="mine is a transcoder, which does not reconstruct the activations that it takes"
    ):
        require_fit(transcoder, "mine", model)


def test_a_normalisation_that_its_files_do_not_hold_is_refused(model: Model) -> None:
    require_fit(random_sae(normalised="expected_average_only_in"), "mine", model)
    allowed = "none, constant_norm_rescale, layer_norm, expected_average_only_in"
    reason = f"`normalize_activations` of mine must be one of: {allowed}, got 'covariance_whitening'"
    with pytest.raises(UserError, match=reason):
        require_fit(random_sae(normalised="covariance_whitening"), "mine", model)
