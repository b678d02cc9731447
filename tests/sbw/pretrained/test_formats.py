"""Every library's SAE is read with its decoder the right way round, or refused by its file's name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import normalize

from sbw.pretrained.formats import described, read_files
from sbw.pretrained.found import find
from sbw.run.errors import UserError
from sbw.saes.disk import save_sae
from sbw.saes.untrained import initial_sae

H, D, K = 8, 6, 3
W_DEC = normalize(torch.randn(H, D, generator=torch.Generator().manual_seed(0)), dim=1)
B_DEC = torch.randn(D, generator=torch.Generator().manual_seed(1))
Write = Callable[[Path], None]


def files(weights: str, tensors: dict[str, Any], config: str = "", **values: Any) -> Write:
    """A writer of an SAE's files, by the library's documented layout."""

    def write(folder: Path) -> None:
        path = folder / weights
        path.parent.mkdir(parents=True)
        match path.suffix:
            case ".safetensors":
                save_file(
                    {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()},
                    path,
                )
            case ".npz":
                np.savez(path, **{name: tensor.numpy() for name, tensor in tensors.items()})
            case _:
                torch.save(tensors, path)
        if config:
            (folder / config).write_text("\ufeff" + json.dumps(values))

    return write


def saelens(folder: Path) -> None:
    sae = initial_sae(K, D, H, seed=0)
    sae.W_dec.data, sae.b_dec.data = W_DEC.clone(), B_DEC.clone()
    save_sae(sae, folder)


TRAINER = {"dict_class": "BatchTopKSAE", "k": K, "lm_name": "openai-community/gpt2", "layer": 4}
FORMATS: dict[str, tuple[Write, str, float | None]] = {
    "SAELens": (saelens, "it", K),
    "SAELens in bfloat16, by a config of few keys": (
        files("sae_weights.safetensors", {"W_dec": W_DEC.bfloat16(), "b_dec": B_DEC}, "cfg.json", k=K), "it", K,
    ),
    "sparsify": (
        files("layers.3/sae.safetensors", {"W_dec": W_DEC, "b_dec": B_DEC, "encoder.weight": W_DEC},
              "layers.3/cfg.json", k=K, num_latents=0, expansion_factor=2, d_in=D), "layers.3", K,
    ),
    "dictionary_learning": (
        files("trainer_0/ae.pt", {"decoder.weight": W_DEC.T, "b_dec": B_DEC, "k": torch.tensor(K)},
              "trainer_0/config.json", trainer=TRAINER, buffer={"ctx_len": 128}), "trainer_0", K,
    ),
    "dictionary_learning, Matryoshka": (
        files("trainer_0/ae.pt", {"W_dec": W_DEC, "b_dec": B_DEC}, "trainer_0/config.json", trainer=TRAINER),
        "trainer_0", K,
    ),
    "dictionary_learning, of ReLU": (
        files("trainer_0/ae.pt", {"decoder.weight": W_DEC.T, "bias": B_DEC}, "trainer_0/config.json", trainer={}),
        "trainer_0", None,
    ),
    "Gemma Scope": (
        files("layer_5/width_16k/average_l0_82/params.npz", {"W_dec": W_DEC, "b_dec": B_DEC}),
        "layer_5/width_16k/average_l0_82", 82,
    ),
    "Gemma Scope 2": (
        files("params.safetensors", {"w_dec": W_DEC, "b_dec": B_DEC}, "config.json", architecture="jump_relu", l0=20),
        "it", 20,
    ),
    "Llama Scope": (
        files("L15R/checkpoints/final.safetensors", {"decoder.weight": W_DEC.T, "decoder.bias": B_DEC},
              "L15R/hyperparams.json", top_k=K), "L15R", K,
    ),
    "OpenMOSS": (
        files("sae_weights.safetensors", {"decoder.weight": W_DEC.T, "decoder.bias": B_DEC}, "config.json", top_k=K),
        "it", K,
    ),
    "Qwen-Scope": (
        files("W32K-L0_50/layer0.sae.pt", {"W_dec": W_DEC.T, "b_dec": B_DEC}), "W32K-L0_50/layer0.sae.pt", 50,
    ),
    "OpenAI": (
        files("7.pt", {"decoder.weight": W_DEC.T, "pre_bias": B_DEC, "activation": "TopK",
                       "activation_state_dict": {"k": K}}), "7.pt", K,
    ),
    "Goodfire": (
        files("Llama-l19.pth", {"decoder_linear.weight": W_DEC.T, "decoder_linear.bias": B_DEC}), "Llama-l19.pth", None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_found_and_read(name: str, tmp_path: Path) -> None:
    write, where, l0 = FORMATS[name]
    write(tmp_path / "it")
    (found,) = find(tmp_path / "it")
    decoder = described(read_files(found.weights))
    assert (found.name, decoder.l0 or decoder.setting or found.l0) == (where, l0)
    torch.testing.assert_close(decoder.W_dec, W_DEC, atol=0.01 if "bfloat16" in name else 1e-6, rtol=0)


def test_the_bias_and_not_the_key_says_which_side_is_which(tmp_path: Path) -> None:
    files("ae.pt", {"W_dec": W_DEC.T, "b_dec": B_DEC}, "config.json")(tmp_path / "it")
    assert torch.equal(described(read_files(tmp_path / "it/ae.pt")).W_dec, W_DEC)


def test_context_is_read_and_one_model_has_one_name(tmp_path: Path) -> None:
    for i, model in enumerate(("gpt2-small", "openai-community/gpt2")):
        files("sae_weights.safetensors", {"W_dec": W_DEC}, "cfg.json", architecture="topk",
              metadata={"model_name": model, "hook_name": "blocks.4.hook_out"})(tmp_path / f"{i}")  # fmt: skip
        decoder = described(read_files(tmp_path / f"{i}/sae_weights.safetensors"))
        assert decoder.family == ("topk", "gpt2", "blocks.4.hook_out")


@pytest.mark.parametrize("place", ["layers.3", "layer_3/width_16k/average_l0_82"])
def test_layers_of_one_run_are_two_things(place: str, tmp_path: Path) -> None:
    files(f"{place}/params.npz", {"W_dec": W_DEC})(tmp_path / "it")
    assert described(read_files(tmp_path / "it" / place / "params.npz")).family == ("Gemma Scope", "layer 3")


@pytest.mark.parametrize("l0", [float("nan"), -3, 0, [4, 8], "many", True, float("inf"), None])
def test_an_l0_that_is_none_is_not_taken(l0: Any, tmp_path: Path) -> None:
    files("sae_weights.safetensors", {"W_dec": W_DEC}, "cfg.json", k=l0, metadata={"l0": l0})(tmp_path / "it")
    decoder = described(read_files(tmp_path / "it/sae_weights.safetensors"))
    assert (decoder.l0, decoder.setting) == (None, None)


@pytest.mark.parametrize(
    ("write", "cause"),
    [
        (files("ae.pt", {"encoder.weight": W_DEC}, "config.json"), "has no decoder, .* it has encoder.weight"),
        (files("ae.pt", {"W_dec": W_DEC * torch.nan}, "config.json"), "holds NaN or Inf in `decoder`"),
        (files("ae.pt", {"W_dec": W_DEC, "run": Path("/")}, "config.json"), "holds more than tensors"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_file(write: Write, cause: str, tmp_path: Path) -> None:
    write(tmp_path / "it")
    with pytest.raises(UserError, match=f"it/ae.pt {cause}"):
        described(read_files(tmp_path / "it/ae.pt"))


@pytest.mark.parametrize("name", ["sae_weights.safetensors", "ae.pt", "params.npz"])
def test_bytes_that_are_no_weights_and_pointers_of_git_lfs_are_named(name: str, tmp_path: Path) -> None:
    for config in ("cfg.json", "config.json"):
        (tmp_path / config).write_text("{}")
    for content, cause in (
        (b"broken", "is not a readable"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=f"{name} .*{cause}"):
            described(read_files(tmp_path / name))


def test_hidden_folders_and_a_trainers_state_are_passed_over_and_links_followed_once(tmp_path: Path) -> None:
    saelens(tmp_path / "mine/k=9")
    saelens(tmp_path / "mine/.k=11.partial")
    saelens(tmp_path / "elsewhere/k=12")
    torch.save({"step": 5}, tmp_path / "mine/k=9/trainer_state.pt")
    (tmp_path / "mine/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "mine/k=9/up").symlink_to(tmp_path / "mine")
    assert [one.name for one in find(tmp_path / "mine")] == ["k=9", "linked/k=12"]


def test_a_config_whose_weights_are_missing_is_found_and_their_file_named(tmp_path: Path) -> None:
    saelens(tmp_path / "mine/k=9")
    (tmp_path / "mine/k=9/sae_weights.safetensors").unlink()
    (found,) = find(tmp_path / "mine")
    with pytest.raises(FileNotFoundError) as missing:
        described(read_files(found.weights))
    assert missing.value.filename == str(tmp_path / "mine/k=9/sae_weights.safetensors")


def test_a_folder_without_saes_is_refused_with_what_is_known(tmp_path: Path) -> None:
    (tmp_path / "sae.bin").write_bytes(b"")
    with pytest.raises(UserError, match=r"holds no SAE: no file in it is named sae_weights\.safetensors, "):
        find(tmp_path)
    with pytest.raises(FileNotFoundError):
        find(tmp_path / "nowhere")
