"""SAEs as SAELens's folders, and where they begin."""

from pathlib import Path

import pytest
import torch
from sae_lens import SAE

from sbw.lockstep.device import pick_device
from sbw.run.errors import UserError
from sbw.saes.disk import load_sae, save_sae
from sbw.saes.untrained import initial_sae, true_sae
from sbw.toy.model import Toy


def test_weights_are_the_seeds_alone() -> None:
    first = initial_sae(5, 100, 50, 1)
    torch.rand(1)
    assert torch.equal(first.W_dec, initial_sae(5, 100, 50, 1).W_dec)
    assert not torch.equal(first.W_dec, initial_sae(5, 100, 50, 2).W_dec)


def test_saved_sae_is_anyones_saelens_folder(tmp_path: Path) -> None:
    sae = initial_sae(1.8, 100, 50, 0)
    sae.topk_threshold.fill_(0.25)
    for name in ("a", "b"):
        save_sae(sae, tmp_path / name)
    loaded = SAE.load_from_disk(tmp_path / "a")
    assert loaded.cfg.architecture() == "jumprelu"
    assert loaded.cfg.metadata.training_architecture_details["k"] == 1.8
    assert loaded.threshold[0].item() == 0.25
    for name in ("cfg.json", "sae_weights.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_true_sae_can_be_saved_and_has_the_features(toy: Toy, tmp_path: Path) -> None:
    save_sae(true_sae(11, toy.features), tmp_path)
    torch.testing.assert_close(load_sae(tmp_path).W_dec.data, toy.features.feature_vectors.data)


def test_an_sae_that_saelens_has_changed_and_saved_again_is_read(tmp_path: Path) -> None:
    save_sae(initial_sae(5, 100, 50, 0), tmp_path / "ours")
    changed = SAE.load_from_disk(tmp_path / "ours", dtype="bfloat16")
    changed.fold_W_dec_norm()
    changed.cfg.metadata.model_name = "renamed"
    changed.save_model(tmp_path / "theirs")
    loaded = load_sae(tmp_path / "theirs")
    assert (loaded.W_dec.dtype, loaded.cfg.metadata.model_name) == (torch.bfloat16, "renamed")
    assert torch.equal(loaded.W_dec, changed.W_dec)


def test_weights_that_are_not_finite_are_named(tmp_path: Path) -> None:
    sae = initial_sae(5, 100, 50, 0)
    sae.b_enc.data[3] = torch.nan
    save_sae(sae, tmp_path / "mine")
    with pytest.raises(UserError, match="mine holds NaN or Inf in `b_enc`"):
        load_sae(tmp_path / "mine")


def test_unreadable_folder_is_named(tmp_path: Path) -> None:
    save_sae(initial_sae(5, 100, 50, 0), tmp_path)
    for name in ("sae_weights.safetensors", "cfg.json"):
        (tmp_path / name).write_text("{")
        with pytest.raises(UserError, match=f"{tmp_path} is not a readable SAELens folder"):
            load_sae(tmp_path)
        (tmp_path / name).unlink()
        with pytest.raises(FileNotFoundError) as missing:
            load_sae(tmp_path)
        assert missing.value.filename == str(tmp_path / name)


def test_auto_is_the_device_that_there_is() -> None:
    assert pick_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    assert pick_device("cpu") == "cpu"
