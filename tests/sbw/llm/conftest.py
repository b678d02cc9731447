"""What the tests of sbw/llm share: the tiny model in memory, and its texts."""

from pathlib import Path

import pytest
import torch
from sae_lens import ActivationsStore
from transformers import AutoModelForCausalLM, PreTrainedModel

from sbw.llm.activations import open_store
from sbw.llm.model import Model, load_model
from tests.tiny import CONTEXT, HOOK, write_corpus, write_model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny `model` and its `corpus`."""
    folder = tmp_path_factory.mktemp("tiny")
    write_model(folder / "model")
    (folder / "corpus").mkdir()
    write_corpus(folder / "corpus")
    return folder


@pytest.fixture(scope="session")
def model(tiny: Path) -> Model:
    return load_model(tiny / "model", "SAETransformerBridge", "float32")


@pytest.fixture(scope="session")
def alone(tiny: Path) -> PreTrainedModel:
    """The tiny model without hooks."""
    return AutoModelForCausalLM.from_pretrained(tiny / "model", dtype=torch.float32)


@pytest.fixture
def store(tiny: Path, model: Model) -> ActivationsStore:
    return open_store(model, tiny / "corpus/train", HOOK, CONTEXT, batch_size=4)
