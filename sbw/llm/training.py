"""Train SAEs on harvested activations with lockstep, and save them as SAELens's.

Shapes: n tokens, b batch, d width of the activations.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from sae_lens import SAE, TrainingSAE
from torch import Tensor
from tqdm import tqdm

from sbw.llm.activations import shuffled
from sbw.lockstep.device import pick_device
from sbw.lockstep.trainer import train_lockstep
from sbw.params.llm import LlmSae, LlmTraining
from sbw.run.processes import map_processes, one_thread, processes_on, quiet
from sbw.saes.disk import load_sae, save_sae
from sbw.saes.untrained import initial_jumprelu_sae, initial_sae

_BANDWIDTH, _INITIAL_THRESHOLD = 2.0, 0.1
"""Of JumpReLU, as in the toy experiment, on activations of the same mean norm √d."""
_STATISTICS_FROM = 100_000
"""Activations that their mean and mean norm are taken from."""
_MEASURED_ON, _AT_ONCE = 20_000, 4096
"""Activations, the last ones, that the L0 in an SAE's metadata is measured on, and how many of them at once."""


class Source(NamedTuple):
    """Where the activations come from, for an SAE's metadata."""

    model: str
    """Name of the model on its hub, or its folder."""
    model_class: str
    """SAELens's class that ran it."""
    hook: str
    """Hook that the activations were taken at."""
    context_size: int
    """Tokens per context."""


class Recipe(NamedTuple):
    """An SAE to train."""

    name: str
    """Name of the SAE."""
    sae: LlmSae
    """Its architecture and sparsity."""
    seed: int
    """Seed of its initial weights."""


def train_saes(
    recipes: Sequence[Recipe],
    training: LlmTraining,
    activations: Float[Tensor, "n d"],
    source: Source,
    place: Callable[[str], Path],
) -> None:
    """Train an SAE of each recipe once over the activations, in an order drawn from the training's seed.

    Each is saved at the `place` of its name; all have the size, batches and rate of `training`, whose own list of SAEs
    is not read. Activations are brought to a mean norm of √d while training, and b_dec starts at their mean; both are
    folded into the weights, so that the saved SAEs take activations as they are. One process per processor trains them.
    """
    with one_thread():
        first = activations[:_STATISTICS_FROM].float()
        mean, scale = first.mean(dim=0), math.sqrt(first.shape[1]) / first.norm(dim=1).mean().item()
    train = partial(_train_one, training=training, activations=activations, mean=mean, scale=scale)
    map_processes(partial(train, source=source, place=place), recipes, processes_on(pick_device("auto")))


def initial(recipe: Recipe, d_in: int, d_sae: int, steps: int) -> TrainingSAE[Any]:
    """The untrained SAE of a recipe, for activations of a mean norm of √d_in."""
    params = recipe.sae
    if params.architecture == "batchtopk":
        return initial_sae(params.k, d_in, d_sae, recipe.seed)
    sae = initial_jumprelu_sae(
        params.l0_coefficient,
        bandwidth=_BANDWIDTH,
        initial_threshold=_INITIAL_THRESHOLD,
        warm_up_steps=round(params.warm_up * steps),
        d_in=d_in,
        d_sae=d_sae,
        seed=recipe.seed,
    )
    sae.cfg.normalize_activations = "none"  # we do
    return sae


@torch.no_grad()
def _measured_l0(sae: SAE[Any], activations: Float[Tensor, "n d"]) -> float:
    l0 = [(sae.encode(x.float()) > 0).sum(dim=1) for x in torch.split(activations, _AT_ONCE)]
    return float(torch.cat(l0).double().mean())


def _train_one(
    recipe: Recipe,
    training: LlmTraining,
    activations: Float[Tensor, "n d"],
    mean: Float[Tensor, " d"],
    scale: float,
    source: Source,
    place: Callable[[str], Path],
) -> None:
    steps = len(activations) // training.batch_size
    sae = initial(recipe, activations.shape[1], training.d_sae, steps)
    sae.b_dec.data = mean * scale
    with tqdm(total=steps, desc=recipe.name, unit="step", disable=quiet()) as bar:
        train_lockstep(
            [sae],
            shuffled(activations, training.batch_size, scale, training.seed),
            steps=steps,
            lr=training.lr,
            device=pick_device("auto"),
            processes=1,
            layout="dense",
            on_chunk=lambda new_steps, _: bar.update(new_steps),
        )
    sae.fold_activation_norm_scaling_factor(scale)
    _describe(sae, source, steps * training.batch_size)
    save_sae(sae, place(recipe.name))
    # A saved SAE has thresholds in place of k, so the L0 is that of the SAE as loaded.
    sae.cfg.metadata.l0 = round(_measured_l0(load_sae(place(recipe.name)), activations[-_MEASURED_ON:]), 2)
    save_sae(sae, place(recipe.name))


def _describe(sae: TrainingSAE[Any], source: Source, training_tokens: int) -> None:
    metadata = sae.cfg.metadata
    metadata.model_name, metadata.model_class_name = source.model, source.model_class
    metadata.hook_name, metadata.hook_head_index = source.hook, None
    metadata.context_size, metadata.seqpos_slice = source.context_size, [None]
    metadata.prepend_bos, metadata.sequence_separator_token = True, "bos"
    metadata.exclude_special_tokens = True
    metadata.dataset_path, metadata.training_tokens = "sae-probes", training_tokens
