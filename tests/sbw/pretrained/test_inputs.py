"""What an SAE's library does to activations before all else is done to them."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from sbw.pretrained.encoders import encoder_of
from sbw.pretrained.formats import read_files
from sbw.pretrained.measured import measure_sae
from tests.sbw.pretrained.test_encoders import B_DEC, B_ENC, LINEAR, MOSS, W_DEC, W_ENC, D, K, X, of_saelens
from tests.sbw.pretrained.test_formats import Write, files

CENTRED = X - X.mean(dim=1, keepdim=True)
EACH = D**0.5 / X.norm(dim=1, keepdim=True)
INPUTS: dict[str, tuple[str, Write, Tensor]] = {
    "SAELens, scaled in the mean": (
        "sae_weights.safetensors", of_saelens(normalize_activations="expected_average_only_in"),
        X * (D**0.5 / X.norm(dim=1).mean())),
    "SAELens, scaled each": (
        "sae_weights.safetensors", of_saelens(normalize_activations="constant_norm_rescale"), X * EACH),
    "SAELens, layer norm": (
        "sae_weights.safetensors", of_saelens(normalize_activations="layer_norm"),
        CENTRED / (CENTRED.std(dim=1, keepdim=True) + 1e-5)),
    "Llama Scope": (
        "L15R/checkpoints/final.safetensors",
        files("L15R/checkpoints/final.safetensors", {**LINEAR, "decoder.bias": B_DEC}, "L15R/hyperparams.json",
              **MOSS | {"act_fn": "relu", "norm_activation": "dataset-wise",
                        "dataset_average_activation_norm": {"in": 5.0, "out": 3.0}}),
        X * (D**0.5 / 5)),
    "OpenAI, TopK": (
        "7.pt", files("7.pt", {"encoder.weight": W_ENC.T, "latent_bias": B_ENC, "pre_bias": B_DEC, "activation": "TopK",
                               "activation_state_dict": {"k": K, "postact_fn": "ReLU"}, "decoder.weight": W_DEC.T}),
        CENTRED / (CENTRED.std(dim=1, keepdim=True) + 1e-5)),
}  # fmt: skip


@pytest.mark.parametrize("name", INPUTS)
def test_the_input_is_normalised_as_the_library_does(name: str, tmp_path: Path) -> None:
    place, write, expected = INPUTS[name]
    write(tmp_path / "it")
    encoder = encoder_of(read_files(tmp_path / "it" / place))
    torch.testing.assert_close(encoder.prepared(X)(X), expected)
    assert encoder.k == (K if "TopK" in name else None)
    plain = measure_sae(encoder._replace(input=1.0), [expected])
    assert measure_sae(encoder, [X]).columns == pytest.approx(plain.columns, nan_ok=True)
