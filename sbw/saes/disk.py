"""SAEs as folders that SAELens reads."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from sae_lens import SAE, TrainingSAE
from sae_lens.constants import SAE_CFG_FILENAME, SAE_WEIGHTS_FILENAME
from safetensors import SafetensorError


def save_sae(sae: TrainingSAE[Any], folder: Path) -> None:
    """Write an SAE as SAELens does for inference: a folder that `SAE.load_from_disk` reads, BatchTopK as JumpReLU.

    Raises:
        OSError: it cannot be written.
    """
    for weights in sae.parameters():  # safetensors takes no views, such as init_sae_to_match_feature_dict leaves behind
        weights.data = weights.data.contiguous()
    try:
        weights, config = sae.save_inference_model(folder)
    except SafetensorError as error:
        raise OSError(str(error)) from error
    document = json.loads(config.read_text())
    document["metadata"]["sha256"] = _digest(document, weights)
    # SAELens writes the keys in the order of a set, another one in every process.
    config.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")


def load_sae(folder: Path) -> SAE[Any]:
    """Read a SAELens folder.

    Raises:
        FileNotFoundError, ValueError: a file is missing, is not readable, is not what `save_sae` wrote if it wrote it,
            or holds weights that are not finite.
    """
    try:
        _require_undamaged(folder)
        sae = SAE.load_from_disk(folder)
    except (SafetensorError, RuntimeError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder} is not a readable SAELens folder: {error}") from error
    for name, weights in sae.state_dict().items():
        if not weights.isfinite().all():
            raise ValueError(f"{folder} holds NaN or Inf in its weights `{name}`")
    return sae


def _digest(config: dict[str, Any], weights: Path) -> str:
    return sha256(json.dumps(config, sort_keys=True).encode() + weights.read_bytes()).hexdigest()


def _require_undamaged(folder: Path) -> None:
    config = json.loads((folder / SAE_CFG_FILENAME).read_text())
    written = config.get("metadata", {}).pop("sha256", None)
    if written is not None and written != _digest(config, folder / SAE_WEIGHTS_FILENAME):
        raise ValueError("its files are not what was written")
