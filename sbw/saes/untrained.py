"""Untrained SAEs, and the SAE whose latents are the true features."""

from sae_lens import (
    BatchTopKTrainingSAE,
    BatchTopKTrainingSAEConfig,
    JumpReLUTrainingSAE,
    JumpReLUTrainingSAEConfig,
)
from sae_lens.synthetic import FeatureDictionary, init_sae_to_match_feature_dict

from sbw.saes.schedule import KSchedule
from sbw.saes.transition import TransitionTrainingSAE, TransitionTrainingSAEConfig
from sbw.toy.generators import drawing_from, seeded


def initial_sae(k: float, d_in: int, d_sae: int, seed: int) -> BatchTopKTrainingSAE:
    """An untrained BatchTopK SAE with SAELens's defaults and weights drawn from `seed`."""
    with drawing_from(seeded(seed)):
        return BatchTopKTrainingSAE(BatchTopKTrainingSAEConfig(d_in=d_in, d_sae=d_sae, k=k))


def initial_transition_sae(
    schedule: KSchedule, training_steps: int, d_in: int, d_sae: int, seed: int
) -> TransitionTrainingSAE:
    """As `initial_sae`, with a k that moves while it trains."""
    config = TransitionTrainingSAEConfig(
        d_in=d_in,
        d_sae=d_sae,
        k=schedule.end,
        initial_k=schedule.start,
        ramp_from=schedule.ramp_from,
        ramp_to=schedule.ramp_to,
        training_steps=training_steps,
    )
    with drawing_from(seeded(seed)):
        return TransitionTrainingSAE(config)


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
    config = JumpReLUTrainingSAEConfig(
        d_in=d_in,
        d_sae=d_sae,
        l0_coefficient=l0_coefficient,
        l0_warm_up_steps=warm_up_steps,
        jumprelu_bandwidth=bandwidth,
        jumprelu_init_threshold=initial_threshold,
        jumprelu_sparsity_loss_mode="tanh",
        normalize_activations="expected_average_only_in",
    )
    with drawing_from(seeded(seed)):
        return JumpReLUTrainingSAE(config)


def true_sae(k: float, features: FeatureDictionary) -> BatchTopKTrainingSAE:
    """The SAE whose latents are the true features, made to keep k of them per sample."""
    sae = initial_sae(k, features.hidden_dim, features.num_features, seed=0)
    init_sae_to_match_feature_dict(sae, features)
    return sae
