"""An SAE at every k and seed."""

from functools import partial

from sbw.params.training import Grid, Sweep, Training
from sbw.saes.experiments.cell import Cell
from sbw.saes.untrained import initial_sae, true_sae
from sbw.toy.model import Toy


def cells(params: Grid | Sweep, training: Training, toy: Toy) -> list[Cell]:
    """The grid's SAEs: of one stream where their initial weights differ, else each seed of a stream of its own."""
    from_truth = isinstance(params, Grid) and params.start == "truth"
    width = toy.features.hidden_dim
    return [
        Cell(
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
