"""A BatchTopK SAE whose k moves while it trains, for any SAELens trainer and for ours."""

from dataclasses import dataclass
from typing import Any

from sae_lens import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig, TrainingSAE, register_sae_training_class
from sae_lens.saes.sae import TrainStepInput, TrainStepOutput
from typing_extensions import override

from sbw.saes.schedule import KSchedule


@dataclass
class TransitionTrainingSAEConfig(BatchTopKTrainingSAEConfig):
    """BatchTopK whose k is held at `initial_k`, moves in a straight line to `k`, and is held there.

    The ramp is given in shares of the training, so that a longer training has a longer one.

    Raises:
        ValueError: the shares are out of order, or k is not `k` at the last step.
    """

    initial_k: float = 1
    """Active latents per sample at the first step."""
    ramp_from: float = 0.0
    """Share of the training after which k begins to move."""
    ramp_to: float = 0.5
    """Share of the training after which it stays at `k`."""
    training_steps: int = 0
    """Steps of the whole training; must be given."""

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        if self.training_steps < 1:
            raise ValueError(f"`training_steps` must be the steps of the whole training, got {self.training_steps}")
        if not 0 <= self.ramp_from < self.ramp_to <= 1:
            raise ValueError(f"0 <= `ramp_from` < `ramp_to` <= 1 must hold, got {self.ramp_from} and {self.ramp_to}")
        last = self.schedule.at((self.training_steps - 1) / self.training_steps)
        if last != self.k:
            raise ValueError(
                f"`ramp_to` must be lower, got {self.ramp_to}: k must be {self.k:g} at the last of "
                f"{self.training_steps} steps, where it is {last:g}"
            )

    @property
    def schedule(self) -> KSchedule:
        """The k as a function of training progress."""
        return KSchedule(self.initial_k, self.k, self.ramp_from, self.ramp_to)

    @override
    @classmethod
    def architecture(cls) -> str:
        return "transition_batchtopk"


class TransitionTrainingSAE(BatchTopKTrainingSAE):
    """A BatchTopK SAE that sets its k at every training step; it is saved for inference as JumpReLU, like BatchTopK."""

    cfg: TransitionTrainingSAEConfig

    @override
    def training_forward_pass(self, step_input: TrainStepInput) -> TrainStepOutput:
        self.activation_fn.k = self.cfg.schedule.at(step_input.n_training_steps / self.cfg.training_steps)
        return super().training_forward_pass(step_input)


register_sae_training_class("transition_batchtopk", TransitionTrainingSAE, TransitionTrainingSAEConfig)


def schedule_of(sae: TrainingSAE[Any]) -> KSchedule:
    """An SAE's k over its training; it is constant unless the SAE moves it."""
    return sae.cfg.schedule if isinstance(sae, TransitionTrainingSAE) else KSchedule(sae.cfg.k, sae.cfg.k)
