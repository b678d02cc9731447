"""JumpReLU SAEs, whose L0 follows from the coefficient of their sparsity loss."""

from functools import partial

from sbw.params.training import JumpReLU, Training
from sbw.saes.experiments.planned import PlannedSae
from sbw.saes.untrained import initial_jumprelu_sae
from sbw.toy.model import Toy


def plan(params: JumpReLU, training: Training, toy: Toy) -> list[PlannedSae]:
    """One SAE per coefficient and seed."""
    make = partial(
        initial_jumprelu_sae,
        bandwidth=params.bandwidth,
        initial_threshold=params.initial_threshold,
        warm_up_steps=params.warm_up_steps,
        d_in=toy.features.hidden_dim,
        d_sae=params.d_sae,
    )
    return [
        PlannedSae(
            keys={"l0_coefficient": coefficient, "seed": seed},
            sae=partial(make, coefficient, seed=seed),
            toy=toy,
            stream_seed=training.stream_seed,
            samples=training.samples,
        )
        for coefficient in params.l0_coefficients
        for seed in params.seeds
    ]
