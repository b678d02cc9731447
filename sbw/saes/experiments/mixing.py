"""SAEs that start from the true features, one of which is correlated with all others: do they stay?"""

from functools import partial

from sbw.params.training import Mixing, Training
from sbw.saes.experiments.planned import PlannedSae
from sbw.saes.untrained import true_sae
from sbw.toy.model import Toy, with_hub


def plan(params: Mixing, training: Training, toy: Toy) -> list[PlannedSae]:
    """One SAE per correlation, k and seed; since all start alike, each seed has a stream of its own."""
    toys = {rho: with_hub(toy, rho) for rho in params.rhos}
    return [
        PlannedSae(
            keys={"rho": rho, "k": k, "seed": seed},
            sae=partial(true_sae, k, toy.features),
            toy=toys[rho],
            stream_seed=training.stream_seed + seed,
            samples=training.samples,
        )
        for rho in params.rhos
        for k in params.ks
        for seed in params.seeds
    ]
