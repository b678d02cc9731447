"""SAEs whose L0 moves while they train."""

from functools import partial

from sbw.params.training import Training, Transition
from sbw.saes.experiments.planned import PlannedSae
from sbw.saes.schedule import KSchedule
from sbw.saes.untrained import initial_transition_sae
from sbw.toy.model import Toy


def plan(params: Transition, training: Training, toy: Toy) -> list[PlannedSae]:
    """One SAE per ramp and seed."""
    return [
        PlannedSae(
            keys={"initial_k": ramp.initial_k, "k": ramp.k, "samples": ramp.samples, "seed": seed},
            sae=partial(
                initial_transition_sae,
                KSchedule(ramp.initial_k, ramp.k, ramp.ramp_from, ramp.ramp_to),
                training.steps(ramp.samples),
                toy.features.hidden_dim,
                params.d_sae,
                seed,
            ),
            toy=toy,
            stream_seed=training.stream_seed,
            samples=ramp.samples,
        )
        for ramp in params.ramps
        for seed in params.seeds
    ]
