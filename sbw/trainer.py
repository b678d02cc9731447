"""Train an SAE on a toy's activations, the paper's way: SAELens's own trainer, Adam at a constant rate."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from jaxtyping import Float
from sae_lens import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig, LoggingConfig
from sae_lens.config import SAETrainerConfig
from sae_lens.training.sae_trainer import SAETrainer
from torch import Tensor
from tqdm import tqdm

from sbw.params import Train
from sbw.rng import drawing_from, seeded
from sbw.toy import Toy


class CurvePoint(NamedTuple):
    """A point of the training curve."""

    step: int
    """Steps done, this one included."""
    loss: float
    """Loss of the step: mean squared error, summed over the width, plus the auxiliary loss."""
    l0: float
    """Active latents a sample in the step's batch."""


def train_sae(toy: Toy, k: float, params: Train) -> tuple[BatchTopKTrainingSAE, pd.DataFrame]:
    """Train a BatchTopK SAE with an L0 of `k`.

    Its initial weights are drawn from `params.seed`, the activations from `params.stream_seed`.

    Returns:
        The SAE, and its training curve: a `CurvePoint` every `params.log_every` steps.
    """
    sae = initial_sae(k, toy.features.hidden_dim, params.d_sae, params.seed)
    stream = _stream(toy, params.batch_size, seeded(params.stream_seed))
    trainer = SAETrainer(_trainer_config(params), sae, stream)
    points = []
    with tqdm(total=trainer.cfg.total_training_steps, desc=f"train k={k:g}", unit="step", disable=None) as bar:
        while trainer.n_training_samples < params.samples:
            trainer.maybe_reset_sparsity()
            output = trainer.step(next(stream))
            trainer.n_training_steps += 1
            bar.update()
            if trainer.n_training_steps % params.log_every == 0:
                l0 = (output.feature_acts > 0).sum(dim=1).double().mean().item()
                points.append(CurvePoint(trainer.n_training_steps, output.loss.item(), l0))
                bar.set_postfix(loss=f"{points[-1].loss:.3f}", l0=f"{l0:.2f}", refresh=False)
    trainer.set_final_sae_metadata()
    return sae, pd.DataFrame(points, columns=CurvePoint._fields)


def initial_sae(k: float, d_in: int, d_sae: int, seed: int) -> BatchTopKTrainingSAE:
    """An untrained BatchTopK SAE with SAELens's defaults and weights drawn from `seed`."""
    with drawing_from(seeded(seed)):
        return BatchTopKTrainingSAE(BatchTopKTrainingSAEConfig(d_in=d_in, d_sae=d_sae, k=k))


def save_sae(sae: BatchTopKTrainingSAE, folder: Path) -> None:
    """Write an SAE as SAELens does for inference: a folder that `SAE.load_from_disk` reads, BatchTopK as JumpReLU."""
    for weights in sae.parameters():  # safetensors takes no views, such as init_sae_to_match_feature_dict leaves behind
        weights.data = weights.data.contiguous()
    _, config = sae.save_inference_model(folder)
    # SAELens writes the keys in the order of a set, another one in every process.
    config.write_text(json.dumps(json.loads(config.read_text()), indent=2, sort_keys=True) + "\n")


def _stream(toy: Toy, batch_size: int, generator: torch.Generator) -> Iterator[Float[Tensor, "b d"]]:
    while True:
        yield toy.embed(toy.sample(batch_size, generator))


def _trainer_config(params: Train) -> SAETrainerConfig:
    return SAETrainerConfig(
        n_checkpoints=0,
        checkpoint_path=None,
        save_final_checkpoint=False,
        total_training_samples=params.samples,
        device="cpu",
        autocast=False,
        lr=params.lr,
        lr_end=params.lr,
        lr_scheduler_name="constant",
        lr_warm_up_steps=0,
        adam_beta1=0.9,
        adam_beta2=0.999,
        lr_decay_steps=0,
        n_restart_cycles=1,
        train_batch_size_samples=params.batch_size,
        dead_feature_window=1000,
        feature_sampling_window=2000,
        logger=LoggingConfig(log_to_wandb=False),
    )
