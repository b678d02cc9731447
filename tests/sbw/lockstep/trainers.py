"""The same SAE on the same batches by SAELens's trainer and by ours."""

import copy
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import torch
from sae_lens import (
    BatchTopKTrainingSAE,
    BatchTopKTrainingSAEConfig,
    JumpReLUTrainingSAE,
    JumpReLUTrainingSAEConfig,
    LoggingConfig,
    TrainingSAE,
)
from sae_lens.config import SAETrainerConfig
from sae_lens.training.sae_trainer import SAETrainer
from torch import Tensor

from sbw.lockstep.trainer import train_lockstep
from sbw.toy.generators import drawing_from, seeded
from sbw.toy.model import Toy

LR = 3e-4
SAE: TypeAlias = TrainingSAE[Any]


def batches(toy: Toy, count: int, size: int = 128, dtype: torch.dtype = torch.float32, seed: int = 0) -> list[Tensor]:
    stream = toy.stream(size, seeded(seed))
    return [next(stream).to(dtype) for _ in range(count)]


def trained_by_saelens(
    sae: SAE,
    data: list[Tensor],
    each_step: Callable[[SAETrainer[Any, Any]], None] = lambda trainer: None,
) -> SAE:
    """A copy of `sae`, trained by SAETrainer on the batches; the first 1,000 of more estimate the norm if it asks."""
    sae = copy.deepcopy(sae)
    config = SAETrainerConfig(
        n_checkpoints=0,
        checkpoint_path=None,
        save_final_checkpoint=False,
        total_training_samples=len(data) * len(data[0]),
        device="cpu",
        autocast=False,
        lr=LR,
        lr_end=LR,
        lr_scheduler_name="constant",
        lr_warm_up_steps=0,
        adam_beta1=0.9,
        adam_beta2=0.999,
        lr_decay_steps=0,
        n_restart_cycles=1,
        train_batch_size_samples=len(data[0]),
        dead_feature_window=1000,
        feature_sampling_window=2000,
        logger=LoggingConfig(log_to_wandb=False),
    )
    trainer = SAETrainer(config, sae, iter(data))
    rest: Iterator[Tensor] = iter(data)
    if sae.cfg.normalize_activations == "expected_average_only_in":
        trainer.activation_scaler.estimate_scaling_factor(sae.cfg.d_in, rest, 1000)
    for batch in rest:
        trainer.step(batch)
        trainer.n_training_steps += 1
        each_step(trainer)
    if trainer.activation_scaler.scaling_factor is not None:
        sae.fold_activation_norm_scaling_factor(trainer.activation_scaler.scaling_factor)
    return sae


def trained_in_lockstep(saes: list[SAE], data: list[Tensor], **options: Any) -> list[SAE]:
    saes = copy.deepcopy(saes)
    steps = len(data) - (1000 if saes[0].cfg.normalize_activations != "none" else 0)
    train_lockstep(saes, iter(data), steps=steps, lr=LR, **options)
    return saes


def largest_difference(a: SAE, b: SAE) -> float:
    """Of all weights and thresholds, as a share of the largest weight."""
    theirs = b.state_dict()
    largest = max(weights.abs().max().item() for weights in a.state_dict().values())
    return max((weights - theirs[name]).abs().max().item() for name, weights in a.state_dict().items()) / largest


def batchtopk(k: float, d_sae: int = 50, seed: int = 4, d_in: int = 100, **options: Any) -> BatchTopKTrainingSAE:
    with drawing_from(seeded(seed)):
        return BatchTopKTrainingSAE(BatchTopKTrainingSAEConfig(d_in=d_in, d_sae=d_sae, k=k, **options))


def jumprelu(coefficient: float = 0.3, seed: int = 0, **options: Any) -> JumpReLUTrainingSAE:
    settings = {
        "jumprelu_sparsity_loss_mode": "tanh",
        "jumprelu_bandwidth": 2.0,
        "jumprelu_init_threshold": 0.1,
        "l0_warm_up_steps": 100,
        **options,
    }
    with drawing_from(seeded(seed)):
        return JumpReLUTrainingSAE(
            JumpReLUTrainingSAEConfig(d_in=100, d_sae=50, l0_coefficient=coefficient, **settings)
        )


def in_float64(sae: SAE) -> SAE:
    sae = sae.to(torch.float64)
    if isinstance(sae, JumpReLUTrainingSAE):
        sae.threshold.data = sae.threshold.data.double()  # SAELens keeps it in float32 whatever the dtype
    return sae
