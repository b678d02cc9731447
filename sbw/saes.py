"""SAEs as SAELens has them: untrained, true, and as folders on disk."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from sae_lens import (
    SAE,
    BatchTopKTrainingSAE,
    BatchTopKTrainingSAEConfig,
    JumpReLUTrainingSAE,
    JumpReLUTrainingSAEConfig,
    TrainingSAE,
)
from sae_lens.constants import SAE_CFG_FILENAME, SAE_WEIGHTS_FILENAME
from sae_lens.synthetic import FeatureDictionary, init_sae_to_match_feature_dict
from safetensors import SafetensorError

from sbw.lockstep.schedule import KSchedule
from sbw.lockstep.transition import TransitionTrainingSAE, TransitionTrainingSAEConfig
from sbw.rng import drawing_from, seeded


def initial_sae(k: float, d_in: int, d_sae: int, seed: int) -> BatchTopKTrainingSAE:
    """An untrained BatchTopK SAE with SAELens's defaults and weights drawn from `seed`."""
    with drawing_from(seeded(seed)):
        return BatchTopKTrainingSAE(BatchTopKTrainingSAEConfig(d_in=d_in, d_sae=d_sae, k=k))


def initial_transition_sae(
    schedule: KSchedule, training_steps: int, d_in: int, d_sae: int, seed: int
) -> TransitionTrainingSAE:
    """As `initial_sae`, with a k that moves while it trains."""
    with drawing_from(seeded(seed)):
        return TransitionTrainingSAE(
            TransitionTrainingSAEConfig(
                d_in=d_in,
                d_sae=d_sae,
                k=schedule.end,
                initial_k=schedule.start,
                ramp_from=schedule.ramp_from,
                ramp_to=schedule.ramp_to,
                training_steps=training_steps,
            )
        )


def initial_jumprelu_sae(
    l0_coefficient: float,
    *,
    bandwidth: float,
    initial_threshold: float,
    warm_up_steps: int,
    d_in: int,
    d_sae: int,
    seed: int,
) -> JumpReLUTrainingSAE:
    """An untrained JumpReLU SAE with the tanh sparsity loss, on activations scaled to a mean norm of √d_in."""
    with drawing_from(seeded(seed)):
        return JumpReLUTrainingSAE(
            JumpReLUTrainingSAEConfig(
                d_in=d_in,
                d_sae=d_sae,
                l0_coefficient=l0_coefficient,
                l0_warm_up_steps=warm_up_steps,
                jumprelu_bandwidth=bandwidth,
                jumprelu_init_threshold=initial_threshold,
                jumprelu_sparsity_loss_mode="tanh",
                normalize_activations="expected_average_only_in",
            )
        )


def true_sae(k: float, features: FeatureDictionary) -> BatchTopKTrainingSAE:
    """The SAE whose latents are the true features, made to keep k of them a sample."""
    sae = initial_sae(k, features.hidden_dim, features.num_features, seed=0)
    init_sae_to_match_feature_dict(sae, features)
    return sae


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


def pick_device(device: str) -> str:
    """`auto` is a GPU where there is one, else the CPU; other names are taken as they are."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device
