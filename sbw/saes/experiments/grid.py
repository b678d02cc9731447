"""An SAE at every k and seed."""

from functools import partial

from sbw.params.training import Grid, Sweep, Training
from sbw.saes.experiments.planned import PlannedSae
from sbw.saes.untrained import initial_sae, true_sae
from sbw.toy.model import Toy


def plan(params: Grid | Sweep, training: Training, toy: Toy) -> list[PlannedSae]:
    """The grid's SAEs: on one stream where their initial weights differ, else on one stream per seed."""
    from_truth = isinstance(params, Grid) and params.start == "truth"
    width = toy.features.hidden_dim
    return [
        PlannedSae(
            keys={"k": k, "seed": seed},
            sae=partial(true_sae, k, toy.features)
            if from_truth
            else partial(initial_sae, k, width, params.d_sae, seed),
            toy=toy,
            stream_seed=training.stream_seed + (seed if from_truth else 0),
            samples=training.samples,
        )
        for k in params.ks
        for seed in params.seeds
    ]
