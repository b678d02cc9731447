"""Train SAEs on harvested activations, in lockstep's arithmetic, and save them as SAELens has them.

Shapes: n tokens, b batch, d width of the activations.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from jaxtyping import Float
from sae_lens import TrainingSAE
from torch import Tensor
from tqdm import tqdm

from sbw.llm.activations import shuffled
from sbw.lockstep.trainer import train_lockstep
from sbw.params import LlmSae, LlmTraining
from sbw.saes import initial_jumprelu_sae, initial_sae, pick_device, save_sae
from sbw.workers import in_parallel, processors

_BANDWIDTH, _INITIAL_THRESHOLD = 2.0, 0.1
"""Of JumpReLU, as in the toy experiment, on activations of the same mean norm √d."""
_STATISTICS_FROM = 100_000
"""Activations that their mean and mean norm are taken from."""


class Source(NamedTuple):
    """What the activations are, for an SAE's metadata: what anybody needs to use it."""

    model: str
    """Name of the model on its hub, or its folder."""
    model_class: str
    """SAELens's class that ran it."""
    hook: str
    """Where its activations were taken."""
    context_size: int
    """Tokens a context."""


def train_saes(
    params: LlmTraining, activations: Float[Tensor, "n d"], source: Source, place: Callable[[str], Path]
) -> None:
    """Train each SAE of the params once over the activations, in an order drawn from the seed, into its `place`.

    Activations are brought to a mean norm of √d while training, and b_dec starts at their mean; both are folded into
    the weights, so that the saved SAEs take activations as they are. A process a processor trains its share of them.
    """
    shares = min(processors(), len(params.saes)) if pick_device("auto") == "cpu" else 1
    names = list(params.saes)
    train = partial(_train_share, params=params, activations=activations, source=source, place=place)
    in_parallel([partial(train, names[share::shares], quiet=share > 0) for share in range(shares)])


def initial(params: LlmSae, training: LlmTraining, d_in: int, steps: int) -> TrainingSAE[Any]:
    """The untrained SAE of a name in `train.saes`, for activations of a mean norm of √d_in."""
    if params.architecture == "batchtopk":
        return initial_sae(params.k, d_in, training.d_sae, training.seed)
    sae = initial_jumprelu_sae(
        params.l0_coefficient,
        bandwidth=_BANDWIDTH,
        initial_threshold=_INITIAL_THRESHOLD,
        warm_up_steps=round(params.warm_up * steps),
        d_in=d_in,
        d_sae=training.d_sae,
        seed=training.seed,
    )
    sae.cfg.normalize_activations = "none"  # we do
    return sae


def _train_share(
    names: Sequence[str],
    params: LlmTraining,
    activations: Tensor,
    source: Source,
    place: Callable[[str], Path],
    quiet: bool,
) -> None:
    first = activations[:_STATISTICS_FROM].float()
    mean, scale = first.mean(dim=0), math.sqrt(first.shape[1]) / first.norm(dim=1).mean().item()
    steps = len(activations) // params.batch_size
    for name in names:
        sae = initial(params.saes[name], params, activations.shape[1], steps)
        sae.b_dec.data = mean * scale
        with tqdm(total=steps, desc=name, unit="step", disable=quiet or None) as bar:
            train_lockstep(
                [sae],
                lambda: shuffled(activations, params.batch_size, scale, params.seed),
                steps=steps,
                lr=params.lr,
                device=pick_device("auto"),
                processes=1,
                on_chunk=lambda new_steps, _: bar.update(new_steps),
            )
        sae.fold_activation_norm_scaling_factor(scale)
        _describe(sae, source, steps * params.batch_size)
        save_sae(sae, place(name))


def _describe(sae: TrainingSAE[Any], source: Source, training_tokens: int) -> None:
    metadata = sae.cfg.metadata
    metadata.model_name, metadata.model_class_name = source.model, source.model_class
    metadata.hook_name, metadata.hook_head_index = source.hook, None
    metadata.context_size, metadata.seqpos_slice = source.context_size, [None]
    metadata.prepend_bos, metadata.sequence_separator_token = True, "bos"
    metadata.exclude_special_tokens = True
    metadata.dataset_path, metadata.training_tokens = "sae-probes", training_tokens
