"""SAEs are found, named and loaded, or refused by their names."""

from pathlib import Path

import pytest
from sae_lens import SAE

from sbw.pretrained.listed import Listed, in_folder
from sbw.pretrained.names import stated_l0
from sbw.run.errors import UserError
from tests.tiny import random_sae

HUB = "gemma-scope-2b-pt-res-canonical/layer_12/width_16k/canonical"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("k_100", "k_20", "deep/k_3"):
        random_sae().save_model(tmp_path / "mine" / name)
    return tmp_path / "mine"


def test_saes_are_found_at_any_depth_in_the_order_of_their_numbers(folder: Path) -> None:
    assert [(sae.name, sae.l0) for sae in in_folder(folder)] == [("deep/k_3", 3), ("k_20", 20), ("k_100", 100)]
    assert [sae.name for sae in in_folder(folder / "k_20")] == ["k_20"]
    assert in_folder(folder)[0].load().cfg.d_sae == 24


def test_what_a_killed_run_left_is_passed_over(folder: Path) -> None:
    (folder / "k_20").rename(folder / ".k_20.partial")
    assert [sae.name for sae in in_folder(folder)] == ["deep/k_3", "k_100"]


def test_the_current_folder_has_its_own_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "k_20")
    assert [(sae.name, sae.l0) for sae in in_folder(Path())] == [("k_20", 20)]


def test_a_folder_without_saes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no SAE: no file in it is named"):
        in_folder(tmp_path)
    (tmp_path / "ae.pt").write_bytes(b"")
    with pytest.raises(UserError, match="holds no SAE"):
        in_folder(tmp_path)
    with pytest.raises(FileNotFoundError) as missing:
        in_folder(tmp_path / "nowhere")
    assert missing.value.filename == str(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "l0"),
    [
        ("layer_12/width_16k/average_l0_105", 105),
        ("mine/l0=12.5", 12.5),
        ("mine/L0-57/seed=0", 57),
        ("k=9/seed=3", 9),
        ("experiments/l0_coefficient=0.05/seed=0", None),
        ("block40/seed", None),
    ],
)
def test_the_l0_that_a_name_states(name: str, l0: float | None) -> None:
    assert stated_l0(name) == l0


def test_a_hub_that_cannot_be_reached_names_what_to_download(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: object, **kwargs: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(SAE, "from_pretrained", unreachable)
    file = "layer_12/width_16k/average_l0_82 of google/gemma-scope-2b-pt-res"
    message = f"{HUB} cannot be fetched .*unset HF_HUB_OFFLINE .* download {file} .*no route"
    with pytest.raises(UserError, match=message):
        Listed(HUB, None, 50.0).load()


def test_an_offline_hub_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="cannot be fetched from the Hugging Face hub: unset HF_HUB_OFFLINE"):
        Listed("gpt2-small-res-jb/blocks.7.hook_resid_pre", None, None).load()
