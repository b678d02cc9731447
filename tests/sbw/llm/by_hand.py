"""The tiny model as transformers runs it, with nothing of SAELens or TransformerLens: what hooks must see and change.

Shapes: c contexts, t tokens per context, d width of the activations, of all heads together.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from tests.tiny import HIDDEN, QUERIES, Z

_OUTPUTS = {QUERIES: "model.layers.0.self_attn.q_proj"}
_INPUTS = {Z: "model.layers.0.self_attn.o_proj", HIDDEN: "model.layers.0.mlp.down_proj"}


@torch.no_grad()
def activations(alone: PreTrainedModel, hook: str, tokens: Int[Tensor, "c t"]) -> Float[Tensor, "c t d"]:
    """What the layer after the hook takes, or the one before it gives."""
    found: list[Tensor] = []

    def keep(x: Tensor) -> Tensor:
        found.append(x.clone())
        return x

    with _edited(alone, hook, keep):
        alone(tokens)
    return found[0]


@torch.no_grad()
def losses(
    alone: PreTrainedModel, hook: str, tokens: Int[Tensor, "c t"], edit: Callable[[Tensor], Tensor]
) -> Float[Tensor, "c t-1"]:
    """The loss of each next token, in nats, with the activations at the hook replaced by `edit` of them."""
    with _edited(alone, hook, edit):
        scores = alone(tokens).logits[:, :-1].log_softmax(dim=-1)
    return -scores.gather(-1, tokens[:, 1:, None])[..., 0]


@contextmanager
def _edited(alone: PreTrainedModel, hook: str, edit: Callable[[Tensor], Tensor]) -> Iterator[None]:
    if hook in _INPUTS:
        handle: Any = alone.get_submodule(_INPUTS[hook]).register_forward_pre_hook(lambda _, given: (edit(given[0]),))
    else:
        handle = alone.get_submodule(_OUTPUTS[hook]).register_forward_hook(lambda _, __, output: edit(output))
    try:
        yield
    finally:
        handle.remove()
