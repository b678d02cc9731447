"""SAEs in the model: their L0 per token, the loss with them in it, and a task of one prompt.

Everything runs under `torch.no_grad()`, not in inference mode, whose tensors no later step could train on.
Shapes: c contexts, t tokens per context, v vocabulary, s special tokens.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import torch
from jaxtyping import Float, Int
from sae_lens import SAE
from torch import Tensor
from transformers import PreTrainedModel

from sbw.files import column
from sbw.llm.model import BY_THE_SAE, Model, joined, require_normalisation, special_tokens
from sbw.run.errors import UserError

L0 = pa.schema(
    [
        column("sae", pa.string(), "name of the SAE"),
        column("l0", pa.int64(), "active latents per token"),
        column("tokens", pa.int64(), "tokens with this L0; the first of a context and special ones are left out"),
    ]
)
VARIANTS = pa.schema(
    [
        column("variant", pa.string(), "model: unchanged; sae: activations reconstructed; ablated: set to zero"),
        column("sae", pa.string(), "name of the SAE; null for the other variants"),
        column("ce_loss", pa.float64(), "cross-entropy of the next token on held-out texts, in nats"),
        column("answer_rank", pa.int64(), "rank of the answer after the prompt, 1 the likeliest; of ties the last"),
        column("answer_probability", pa.float64(), "probability of the answer after the prompt"),
        column("top_token", pa.string(), "likeliest token after the prompt"),
    ]
)

_Hooks = list[tuple[str, Callable[..., Tensor]]]
"""Names of hooks, each with what replaces its activations."""


class Task(NamedTuple):
    """A prompt and the token that is to follow."""

    prompt: str
    answer: str


@torch.no_grad()
def l0_histogram(
    saes: Mapping[str, SAE[Any]], model: Model, contexts: Int[Tensor, "c t"], batch_size: int
) -> pd.DataFrame:
    """How many tokens have how many active latents, the rows of `L0`, in the order of the SAEs.

    Raises:
        UserError: an SAE normalises activations by what its files do not hold.
    """
    _require_folded(saes)
    special, tables = special_tokens(model), []
    hooks = {str(sae.cfg.metadata.hook_name) for sae in saes.values()}
    for batch in torch.split(contexts, batch_size):
        _, cache = model.run_with_cache(batch, names_filter=list(hooks), prepend_bos=False)
        wanted = ~torch.isin(batch, special)
        wanted[:, 0] = False
        for name, sae in saes.items():
            latents = sae.encode(joined(cache[sae.cfg.metadata.hook_name]))
            tables.append(pd.DataFrame({"sae": name, "l0": (latents != 0).sum(dim=-1)[wanted].cpu().numpy()}))
    counted = pd.concat(tables).groupby(["sae", "l0"]).size().rename("tokens")
    return counted.loc[list(saes)].reset_index()[L0.names]


@torch.no_grad()
def variants(
    saes: Mapping[str, SAE[Any]], model: Model, hook: str, contexts: Int[Tensor, "c t"], batch_size: int, task: Task
) -> pd.DataFrame:
    """The loss and the task of the model as it is, with each SAE's reconstruction, and with zeros at `hook`.

    Raises:
        UserError: the answer is not one token, or an SAE normalises activations by what its files do not hold.
    """
    _require_folded(saes)
    special = special_tokens(model)
    changes: list[tuple[str, str | None, Callable[[Tensor], _Hooks]]] = [
        ("model", None, lambda _: []),
        *(("sae", name, partial(_reconstructing, sae=sae, special=special)) for name, sae in saes.items()),
        ("ablated", None, lambda _: [(hook, lambda x, hook: torch.zeros_like(x))]),  # noqa: ARG005
    ]
    prompt, answer = task_tokens(model, task)
    rows = []
    for variant, name, hooks in changes:
        run = partial(_run, model, hooks)
        losses = [run(batch, "loss").item() * len(batch) for batch in torch.split(contexts, batch_size)]
        scores = run(prompt, "logits")[0, -1].float().softmax(dim=-1)
        rows.append((variant, name, sum(losses) / len(contexts), *_judged(scores, answer, model)))
    return pd.DataFrame(rows, columns=VARIANTS.names)


def task_tokens(model: Model, task: Task) -> tuple[Int[Tensor, "1 t"], int]:
    """The prompt, begun as a context is, and the answer, as tokens.

    Raises:
        UserError: the answer is not one token.
    """
    tokenizer = model.tokenizer
    prompt = tokenizer.encode(task.prompt, add_special_tokens=False)
    answer = tokenizer.encode(task.answer, add_special_tokens=False)
    if len(answer) != 1:
        parts = ", ".join(repr(tokenizer.decode([token])) for token in answer)
        raise UserError(f"`inspect.answer` must be one token of the model, got {len(answer)}: {parts}")
    return torch.tensor([[tokenizer.bos_token_id, *prompt]], device=model.cfg.device), answer[0]


@torch.no_grad()
def own_loss(model: PreTrainedModel, contexts: Int[Tensor, "c t"], batch_size: int) -> float:
    """The cross-entropy that transformers computes for its own model, without hooks."""
    losses = [model(batch, labels=batch).loss.item() * len(batch) for batch in torch.split(contexts, batch_size)]
    return sum(losses) / len(contexts)


def _require_folded(saes: Mapping[str, SAE[Any]]) -> None:
    for name, sae in saes.items():
        require_normalisation(sae, name, BY_THE_SAE)


def _run(model: Model, hooks: Callable[[Tensor], _Hooks], tokens: Int[Tensor, "c t"], return_type: str) -> Tensor:
    return model.run_with_hooks(tokens, return_type=return_type, prepend_bos=False, fwd_hooks=hooks(tokens))


def _judged(scores: Float[Tensor, " v"], answer: int, model: Model) -> tuple[int, float, str]:
    rank = int((scores >= scores[answer]).sum())  # behind all that are as likely: a model of zeros ranks them equal
    return rank, scores[answer].item(), model.tokenizer.decode([int(scores.argmax())])


def _reconstructing(tokens: Int[Tensor, "c t"], sae: SAE[Any], special: Int[Tensor, " s"]) -> _Hooks:
    untouched = torch.isin(tokens, special)[..., None]

    def edit(x: Tensor, hook: Any) -> Tensor:  # noqa: ARG001
        wide = joined(x)
        return torch.where(untouched, wide, sae.decode(sae.encode(wide)).to(x.dtype)).reshape(x.shape)

    return [(str(sae.cfg.metadata.hook_name), edit)]
