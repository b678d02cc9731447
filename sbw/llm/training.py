"""Train SAEs on harvested activations with lockstep, and save them as SAELens's.

Shapes: n tokens, b batch, d width of the activations.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import psutil  # type: ignore[import-untyped]
import torch
from jaxtyping import Float
from sae_lens import SAE, TrainingSAE
from torch import Tensor
from tqdm import tqdm

from sbw.llm.shards import Shards
from sbw.lockstep.replicas import Diverged
from sbw.lockstep.trainer import train_lockstep
from sbw.params.llm import LlmSae, LlmTraining
from sbw.run.errors import UserError
from sbw.run.processes import map_processes, one_thread
from sbw.saes.disk import load_sae, save_sae
from sbw.saes.untrained import initial_jumprelu_sae, initial_sae

_BANDWIDTH, _INITIAL_THRESHOLD = 2.0, 0.1
"""Of JumpReLU, as in the toy experiment, on activations of the same mean norm √d."""
_STATISTICS_FROM = 100_000
"""Activations that their mean and mean norm are taken from."""
_MEASURED_ON, _AT_ONCE = 20_000, 4096
"""Activations, the last ones, that the L0 in an SAE's metadata is measured on, and how many of them at once."""
_SHARE_OF_MEMORY = 0.7
"""Of what is free, for the SAEs that are trained together."""
_MAY_DIFFER = {"k", "l0_coefficient"}
"""What recipes of SAEs that are trained together need not have in common."""


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
    texts: str
    """What the texts are from."""


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
    activations: Shards,
    source: Source,
    folder: Path,
    device: str = "cpu",
) -> None:
    """Train an SAE of each recipe once over the activations, in an order drawn from the training's seed.

    As many as fit in memory are trained on one pass, in lockstep. Each is saved in the folder, under its name; all have
    the size, batches and rate of `training`, whose own list of SAEs is not read. Activations are brought to a mean norm
    of √d while training, and b_dec starts at their mean; both are folded into the weights, so that the saved SAEs take
    activations as they are.
    """
    with one_thread():
        first = activations.rows(0, min(_STATISTICS_FROM, len(activations))).float()
        mean, scale = first.mean(dim=0), math.sqrt(first.shape[1]) / first.norm(dim=1).mean().item()
        last = activations.rows(max(0, len(activations) - _MEASURED_ON), len(activations))
    tokens = len(activations) // training.batch_size * training.batch_size
    save = partial(_save, training_tokens=tokens, source=source, scale=scale, folder=folder, last=last)
    for together in _passes(recipes, bytes_of(activations.width, training), device):
        saes = _trained(together, training, activations, mean, scale, device)
        map_processes(save, list(zip(together, saes, strict=True)))


def bytes_of(d_in: int, training: LlmTraining) -> int:
    """Memory of an SAE while it trains: ten numbers of four bytes per weight, and the activations of its latents.

    The weights themselves, their gradients and Adam's two moments, the SAE that they come from and go back to, and what
    is copied between processes; per activation of a batch, the error and each latent's, before and after selection.
    """
    d_sae, batch = training.d_sae, training.batch_size
    return 40 * (2 * d_in * d_sae + 2 * d_sae + d_in) + 8 * batch * (d_in + 2 * d_sae)


def free_memory(device: str) -> int:
    """Bytes that are free on a device."""
    return torch.cuda.mem_get_info(device)[0] if device.startswith("cuda") else psutil.virtual_memory().available


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


def _passes(recipes: Sequence[Recipe], size: int, device: str) -> list[list[Recipe]]:
    """The recipes of SAEs that are trained together: alike, and as many as fit in a share of the free memory."""
    free = free_memory(device)
    fit, alike = max(1, int(_SHARE_OF_MEMORY * free / size)), defaultdict[Any, list[Recipe]](list)
    for recipe in recipes:
        alike[tuple(recipe.sae.model_dump(exclude=_MAY_DIFFER).items())].append(recipe)
    passes = []
    for group in alike.values():
        count = -(-len(group) // fit)
        passes += [group[i::count] for i in range(count)]
    once = "one pass" if len(passes) == 1 else f"{len(passes)} passes"
    each = f"an SAE takes {size / 1e9:.2g} GB while it trains, {free / 1e9:.3g} GB are free"
    print(f"{len(recipes)} SAEs in {once} over the activations: {each}", flush=True)
    return passes


def _trained(
    recipes: Sequence[Recipe],
    training: LlmTraining,
    activations: Shards,
    mean: Float[Tensor, " d"],
    scale: float,
    device: str,
) -> list[TrainingSAE[Any]]:
    steps = len(activations) // training.batch_size
    saes = [initial(recipe, activations.width, training.d_sae, steps) for recipe in recipes]
    for sae in saes:
        sae.b_dec.data = mean * scale
    stream = activations.shuffled(training.batch_size, training.buffer, scale, training.seed)
    with tqdm(total=steps, desc=f"{len(saes)} SAEs", unit="step", disable=None) as bar:
        try:
            train_lockstep(
                saes,
                stream,
                steps=steps,
                lr=training.lr,
                device=device,
                on_chunk=lambda new_steps, _: bar.update(new_steps),
            )
        except Diverged as stop:
            raise UserError(f"{recipes[stop.replica].name} {stop.cause}") from stop
    return saes


def _save(
    trained: tuple[Recipe, TrainingSAE[Any]],
    training_tokens: int,
    source: Source,
    scale: float,
    folder: Path,
    last: Float[Tensor, "n d"],
) -> None:
    recipe, sae = trained
    sae.fold_activation_norm_scaling_factor(scale)
    _describe(sae, source, training_tokens)
    save_sae(sae, folder / recipe.name)
    # A saved SAE has thresholds in place of k, so the L0 is that of the SAE as loaded.
    sae.cfg.metadata.l0 = round(_measured_l0(load_sae(folder / recipe.name), last), 2)
    save_sae(sae, folder / recipe.name)


@torch.no_grad()
def _measured_l0(sae: SAE[Any], activations: Float[Tensor, "n d"]) -> float:
    l0 = [(sae.encode(x.float()) > 0).sum(dim=1) for x in torch.split(activations, _AT_ONCE)]
    return float(torch.cat(l0).double().mean())


def _describe(sae: TrainingSAE[Any], source: Source, training_tokens: int) -> None:
    metadata = sae.cfg.metadata
    metadata.model_name, metadata.model_class_name = source.model, source.model_class
    metadata.hook_name, metadata.hook_head_index = source.hook, None
    metadata.context_size, metadata.seqpos_slice = source.context_size, [None]
    metadata.prepend_bos, metadata.sequence_separator_token = True, "bos"
    metadata.exclude_special_tokens = True
    metadata.dataset_path, metadata.training_tokens = source.texts, training_tokens
