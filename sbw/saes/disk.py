"""Reads and writes SAEs as SAELens folders."""

import json
from pathlib import Path
from typing import Any

from sae_lens import SAE, TrainingSAE

from sbw.run.errors import reading, require_finite


def save_sae(sae: TrainingSAE[Any], folder: Path) -> None:
    """Write an SAE as SAELens does for inference, BatchTopK as JumpReLU; `SAE.load_from_disk` reads the folder."""
    for weights in sae.parameters():  # safetensors takes no views, which init_sae_to_match_feature_dict leaves
        weights.data = weights.data.contiguous()
    _, config = sae.save_inference_model(folder)
    # SAELens writes the keys in the order of a set, which differs from process to process.
    config.write_text(json.dumps(json.loads(config.read_text()), indent=2, sort_keys=True) + "\n")


def load_sae(folder: Path) -> SAE[Any]:
    """Read a SAELens folder.

    Raises:
        FileNotFoundError, UserError: a file is missing, is not readable, or holds weights that are not finite.
    """
    with reading(folder, "SAELens folder"):
        sae = SAE.load_from_disk(folder)
        require_finite(sae.state_dict(), folder)
    return sae
