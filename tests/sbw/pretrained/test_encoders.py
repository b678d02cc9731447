"""An SAE encodes as its library says, or how it encodes is said not to be understood."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from sae_lens import (
    SAE,
    BatchTopKTrainingSAE,
    BatchTopKTrainingSAEConfig,
    JumpReLUTrainingSAE,
    JumpReLUTrainingSAEConfig,
    StandardTrainingSAE,
    StandardTrainingSAEConfig,
    TopKTrainingSAE,
    TopKTrainingSAEConfig,
    TrainingSAE,
)
from torch import Tensor

from sbw.pretrained.encoders import encoder_of
from sbw.pretrained.formats import described, read_files
from sbw.run.errors import UserError
from sbw.saes.disk import save_sae
from sbw.toy.generators import seeded
from tests.sbw.pretrained.test_formats import Write, files

H, D, K = 12, 6, 3
X = torch.randn(50, D, generator=seeded(0))
W_ENC, W_DEC = torch.randn(D, H, generator=seeded(1)), torch.randn(H, D, generator=seeded(2))
B_ENC, B_DEC = torch.randn(H, generator=seeded(3)), torch.randn(D, generator=seeded(4))
THRESHOLD = torch.rand(H, generator=seeded(5)) + 0.2
SAELENS: dict[str, Callable[[], TrainingSAE[Any]]] = {
    "standard": lambda: StandardTrainingSAE(StandardTrainingSAEConfig(d_in=D, d_sae=H)),
    "standard, b_dec not subtracted": lambda: StandardTrainingSAE(
        StandardTrainingSAEConfig(d_in=D, d_sae=H, apply_b_dec_to_input=False)
    ),
    "topk": lambda: TopKTrainingSAE(TopKTrainingSAEConfig(d_in=D, d_sae=H, k=K, rescale_acts_by_decoder_norm=False)),
    "topk by norms": lambda: TopKTrainingSAE(TopKTrainingSAEConfig(d_in=D, d_sae=H, k=K)),
    "batchtopk": lambda: BatchTopKTrainingSAE(BatchTopKTrainingSAEConfig(d_in=D, d_sae=H, k=K)),
    "jumprelu": lambda: JumpReLUTrainingSAE(JumpReLUTrainingSAEConfig(d_in=D, d_sae=H)),
}


def saelens(name: str, folder: Path) -> SAE[Any]:
    sae = SAELENS[name]()
    weights = {"W_enc": W_ENC, "W_dec": W_DEC, "b_enc": B_ENC, "b_dec": B_DEC, "threshold": THRESHOLD}
    for key, value in sae.named_parameters():
        value.data = weights[key].clone()
    if isinstance(sae, BatchTopKTrainingSAE):
        sae.topk_threshold.fill_(0.7)
    save_sae(sae, folder)
    return SAE.load_from_disk(folder)


@pytest.mark.parametrize("name", SAELENS)
def test_saelens_encodes_and_decodes_the_same(name: str, tmp_path: Path) -> None:
    sae = saelens(name, tmp_path / "it")
    encoder = encoder_of(read_files(tmp_path / "it/sae_weights.safetensors"))
    with torch.no_grad():
        codes, whole = sae.encode(X), sae(X)
    torch.testing.assert_close(encoder.encode(X), codes)
    torch.testing.assert_close(encoder.encode(X) @ encoder.W_dec + encoder.b_dec, whole)
    assert 0 < (codes > 0).double().mean() < 1


def relu(W: Tensor, b: Tensor, centre: Tensor | float = 0.0) -> Tensor:
    return ((X - centre) @ W + b).relu()


def over(codes: Tensor, threshold: Tensor | float) -> Tensor:
    return codes * (codes > threshold)


def largest(codes: Tensor) -> Tensor:
    return codes * (codes >= codes.sort(dim=1, descending=True).values[:, K - 1 : K])


def dictionary_learning(kind: str, tensors: dict[str, Any]) -> Write:
    return files("ae.pt", tensors, "config.json", trainer={"dict_class": kind, "k": K})


LINEAR = {"encoder.weight": W_ENC.T, "encoder.bias": B_ENC, "decoder.weight": W_DEC.T}
PLAIN = {"W_enc": W_ENC, "b_enc": B_ENC, "W_dec": W_DEC, "b_dec": B_DEC}
MOSS = {"norm_activation": "inference", "apply_decoder_bias_to_pre_encoder": False, "hook_point_in": "here",
        "hook_point_out": "here", "sparsity_include_decoder_norm": False}  # fmt: skip
NORMS = W_DEC.norm(dim=1)
BATCH = {"k": torch.tensor(K), "threshold": torch.tensor(0.7)}
LAYOUTS: dict[str, tuple[str, Write, Tensor]] = {
    "sparsify": (
        "sae.safetensors",
        files("sae.safetensors", {"encoder.weight": W_ENC.T, "encoder.bias": B_ENC, "W_dec": W_DEC, "b_dec": B_DEC},
              "cfg.json", k=K, d_in=D, num_latents=0, activation="topk", transcode=False),
        largest(relu(W_ENC, B_ENC, B_DEC)),
    ),
    "dictionary_learning, ReLU": (
        "ae.pt", dictionary_learning("AutoEncoder", {**LINEAR, "bias": B_DEC}), relu(W_ENC, B_ENC, B_DEC),
    ),
    "dictionary_learning, the newer ReLU": (
        "ae.pt", dictionary_learning("AutoEncoderNew", {**LINEAR, "decoder.bias": B_DEC}), relu(W_ENC, B_ENC),
    ),
    "dictionary_learning, TopK, whatever its threshold": (
        "ae.pt", dictionary_learning("AutoEncoderTopK", {**LINEAR, **BATCH, "b_dec": B_DEC}),
        largest(relu(W_ENC, B_ENC, B_DEC)),
    ),
    "dictionary_learning, BatchTopK": (
        "ae.pt", dictionary_learning("BatchTopKSAE", {**LINEAR, **BATCH, "b_dec": B_DEC}),
        over(relu(W_ENC, B_ENC, B_DEC), 0.7),
    ),
    "dictionary_learning, Matryoshka": (
        "ae.pt",
        dictionary_learning("MatryoshkaBatchTopKSAE", {**PLAIN, **BATCH, "group_sizes": torch.tensor([4, 8])}),
        over(relu(W_ENC, B_ENC, B_DEC), 0.7),
    ),
    "dictionary_learning, JumpReLU": (
        "ae.pt", dictionary_learning("JumpReluAutoEncoder", {**PLAIN, "threshold": THRESHOLD}),
        over(relu(W_ENC, B_ENC), THRESHOLD),
    ),
    "Gemma Scope": (
        "params.npz", files("params.npz", {**PLAIN, "threshold": THRESHOLD}), over(relu(W_ENC, B_ENC), THRESHOLD),
    ),
    "Gemma Scope 2": (
        "params.safetensors",
        files("params.safetensors", {"w_enc": W_ENC, "b_enc": B_ENC, "w_dec": W_DEC, "b_dec": B_DEC,
                                     "threshold": THRESHOLD}, "config.json", architecture="jump_relu"),
        over(relu(W_ENC, B_ENC), THRESHOLD),
    ),
    "OpenMOSS, TopK": (
        "sae_weights.safetensors",
        files("sae_weights.safetensors", {**LINEAR, "decoder.bias": B_DEC}, "config.json",
              **MOSS | {"act_fn": "topk", "top_k": K, "apply_decoder_bias_to_pre_encoder": True}),
        largest(relu(W_ENC, B_ENC, B_DEC)),
    ),
    "OpenMOSS, JumpReLU by norms": (
        "sae_weights.safetensors",
        files("sae_weights.safetensors", {**LINEAR, "decoder.bias": B_DEC, "log_jumprelu_threshold": THRESHOLD.log(),
                                          "dataset_average_activation_norm.here": torch.tensor(2.0)}, "config.json",
              **MOSS | {"act_fn": "jumprelu", "sparsity_include_decoder_norm": True}),
        over(relu(W_ENC, B_ENC) * NORMS, THRESHOLD),
    ),
    "Llama Scope": (
        "L15R/checkpoints/final.safetensors",
        files("L15R/checkpoints/final.safetensors", {**LINEAR, "decoder.bias": B_DEC}, "L15R/hyperparams.json",
              **MOSS | {"act_fn": "jumprelu", "jump_relu_threshold": 0.7}),
        over(relu(W_ENC, B_ENC), 0.7),
    ),
    "Qwen-Scope": (
        "W32K-L0_3/layer0.sae.pt", files("W32K-L0_3/layer0.sae.pt", {**PLAIN, "W_enc": W_ENC.T, "W_dec": W_DEC.T}),
        largest(relu(W_ENC, B_ENC)),
    ),
    "OpenAI, ReLU": (
        "7.pt", files("7.pt", {"encoder.weight": W_ENC.T, "latent_bias": B_ENC, "pre_bias": B_DEC, "activation": "ReLU",
                               "decoder.weight": W_DEC.T, "stats_last_nonzero": torch.zeros(H)}),
        relu(W_ENC, B_ENC, B_DEC),
    ),
    "Goodfire": (
        "it.pth", files("it.pth", {"encoder_linear.weight": W_ENC.T, "encoder_linear.bias": B_ENC,
                                   "decoder_linear.weight": W_DEC.T, "decoder_linear.bias": B_DEC}),
        relu(W_ENC, B_ENC),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_documented_layout_encodes_as_documented(name: str, tmp_path: Path) -> None:
    place, write, codes = LAYOUTS[name]
    write(tmp_path / "it")
    encoder = encoder_of(read_files(tmp_path / "it" / place))
    torch.testing.assert_close(encoder.encode(X), codes)
    by_norm = "norms" in name
    torch.testing.assert_close(encoder.W_dec, W_DEC / NORMS[:, None] if by_norm else W_DEC)
    torch.testing.assert_close(encoder.b_dec, B_DEC)
    if not by_norm:
        assert torch.equal(encoder.W_dec, described(read_files(tmp_path / "it" / place)).W_dec)


SQUARE = {"W_enc": W_ENC[:, :D], "b_enc": B_ENC[:D], "W_dec": W_DEC[:D], "b_dec": B_DEC}
SQUARE_LINEAR = {"encoder.weight": W_ENC[:, :D].T, "encoder.bias": B_ENC[:D], "decoder.weight": W_DEC[:D].T}


@pytest.mark.parametrize(
    ("place", "write"),
    [
        ("params.npz", files("params.npz", {**SQUARE, "threshold": torch.zeros(D)})),
        ("ae.pt", dictionary_learning("JumpReluAutoEncoder", {**SQUARE, "threshold": torch.zeros(D)})),
        ("ae.pt", dictionary_learning("AutoEncoderNew", {**SQUARE_LINEAR, "decoder.bias": B_DEC})),
    ],
)
def test_with_as_many_latents_as_dimensions_the_layout_decides(place: str, write: Write, tmp_path: Path) -> None:
    write(tmp_path / "it")
    encoder = encoder_of(read_files(tmp_path / "it" / place))
    torch.testing.assert_close(encoder.encode(X), relu(W_ENC[:, :D], B_ENC[:D]))
    assert torch.equal(encoder.W_dec, W_DEC[:D])


def test_a_latent_without_a_decoder_row_keeps_silent_where_norms_count(tmp_path: Path) -> None:
    dead = W_DEC * (torch.arange(H) > 0)[:, None]
    files("sae_weights.safetensors", {**PLAIN, "W_dec": dead}, "cfg.json", architecture="topk", k=K,
          rescale_acts_by_decoder_norm=True)(tmp_path / "it")  # fmt: skip
    encoder = encoder_of(read_files(tmp_path / "it/sae_weights.safetensors"))
    assert encoder.W_dec.isfinite().all()
    assert not encoder.W_dec[0].any()


OLD = {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": K}, "normalize_activations": False}


def test_saelens_before_its_sixth_version_states_topk_otherwise(tmp_path: Path) -> None:
    files("sae_weights.safetensors", PLAIN, "cfg.json", **OLD)(tmp_path / "it")
    encoder = encoder_of(read_files(tmp_path / "it/sae_weights.safetensors"))
    torch.testing.assert_close(encoder.encode(X), largest(relu(W_ENC, B_ENC, B_DEC)))


def of_saelens(tensors: dict[str, Any] = PLAIN, **config: Any) -> Write:
    return files("sae_weights.safetensors", tensors, "cfg.json", **config)


def of_sparsify(**config: Any) -> Write:
    return files("sae.safetensors", {**LINEAR, "b_dec": B_DEC}, "cfg.json", **config)


def of_openmoss(**config: Any) -> Write:
    return files("sae_weights.safetensors", {**LINEAR, "decoder.bias": B_DEC}, "config.json", **MOSS | config)


BAD: dict[str, tuple[str, Write, str]] = {
    "another architecture": ("sae_weights.safetensors", of_saelens(architecture="gated"),
                             "`architecture` must be standard, topk, jumprelu, got gated"),
    "another normalisation": ("sae_weights.safetensors", of_saelens(normalize_activations="by hand"),
                              "`normalize_activations` must be None, False, none, .*, got by hand"),
    "another activation": ("sae_weights.safetensors", of_saelens(activation_fn="tanh-relu"), "got tanh-relu"),
    "no k": ("sae_weights.safetensors", of_saelens(architecture="topk"), "k must be a whole number .* got nothing"),
    "a k of half a latent": ("sae_weights.safetensors", of_saelens(architecture="topk", k=2.5), "got 2.5"),
    "a k above the latents": ("sae_weights.safetensors", of_saelens(architecture="topk", k=13), "to 12, got 13"),
    "no threshold": ("sae_weights.safetensors", of_saelens(architecture="jumprelu"),
                     "it has no `threshold`; it has W_dec, W_enc, b_dec, b_enc"),
    "a tensor that it may need": ("sae_weights.safetensors", of_saelens({**PLAIN, "W_skip": torch.eye(D)}),
                                  "its file also holds W_skip"),
    "no encoder": ("sae_weights.safetensors", of_saelens({"W_dec": W_DEC, "b_dec": B_DEC, "b_enc": B_ENC}),
                   "no matrix named W_enc, .* is of its decoder's 12 latents and width 6"),
    "a bias of another length": ("sae_weights.safetensors", of_saelens({**PLAIN, "b_enc": B_DEC}),
                                 r"must have 12 entries, got of the shape \[6\]"),
    "no bias": ("sae_weights.safetensors", of_saelens({"W_dec": W_DEC, "W_enc": W_ENC, "b_dec": B_DEC}),
                "must have 12 entries, got W_dec, W_enc, b_dec"),
    "groups": ("sae.safetensors", of_sparsify(k=K, activation="groupmax"), "`activation` must be topk, got groupmax"),
    "sparsify's transcoder": ("sae.safetensors", of_sparsify(k=K, transcode=True), "must be False, got True"),
    "a class that is not known": ("ae.pt", dictionary_learning("Mine", LINEAR), "got Mine"),
    "no class": ("ae.pt", files("ae.pt", LINEAR, "config.json", trainer={}), "got None"),
    "a threshold that was never set": (
        "ae.pt", dictionary_learning("BatchTopKSAE", {**LINEAR, "b_dec": B_DEC, "threshold": torch.tensor(-1.0)}),
        "thresholds must be one number or 12, none below 0, got -1"),
    "a transcoder": ("layer_3_transcoder/params.npz", files("layer_3_transcoder/params.npz", PLAIN), "transcoders"),
    "an input normalised by a number that is missing": (
        "sae_weights.safetensors", of_openmoss(norm_activation="dataset-wise"),
        "no `dataset_average_activation_norm.in`"),
    "an input divided by nothing": (
        "sae_weights.safetensors",
        of_openmoss(norm_activation="dataset-wise", dataset_average_activation_norm={"in": 0}), "above 0, got 0"),
    "a threshold that is no number": ("sae_weights.safetensors",
                                      of_openmoss(act_fn="jumprelu", jump_relu_threshold="high"), "got high"),
    "thresholds of another length": (
        "sae_weights.safetensors", of_saelens({**PLAIN, "threshold": torch.ones(3)}, architecture="jumprelu"),
        r"or 12, none below 0, got the shape \[3\], 1 and above"),
    "OpenMOSS's transcoder": ("sae_weights.safetensors", of_openmoss(hook_point_out="there"), "got there"),
    "a batch": ("sae_weights.safetensors", of_openmoss(act_fn="batchtopk"), "got batchtopk"),
    "no L0 in the name": ("layer0.sae.pt", files("layer0.sae.pt", {**PLAIN, "W_enc": W_ENC.T, "W_dec": W_DEC.T}),
                          "k must be a whole number"),
    "another activation of OpenAI's": (
        "7.pt", files("7.pt", {"latent_bias": B_ENC, "pre_bias": B_DEC, "activation": "Tanh"}), "or TopK, got Tanh"),
    "what may be anybody's": ("7.pt", files("7.pt", {**LINEAR, "decoder.bias": B_DEC}), "neither OpenAI's nor"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_understood_is_said_with_what_was_found(name: str, tmp_path: Path) -> None:
    place, write, cause = BAD[name]
    write(tmp_path / "it")
    with pytest.raises(UserError, match=f"{place}: its encoder is not understood: .*{cause}") as refused:
        encoder_of(read_files(tmp_path / "it" / place))
    assert "\n" not in str(refused.value)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    of_saelens({**PLAIN, "W_enc": W_ENC * torch.nan})(tmp_path / "it")
    with pytest.raises(UserError, match=r"sae_weights\.safetensors holds NaN or Inf in `W_enc`"):
        encoder_of(read_files(tmp_path / "it/sae_weights.safetensors"))
