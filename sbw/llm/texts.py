"""What latents of SAEs of several L0s fire on, side by side: for each of one SAE, those of the others most like it.

Shapes: c contexts, t tokens per context, n tokens, d width of the activations, h latents, m latents chosen.
"""

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from sae_lens import SAE
from torch import Tensor
from tqdm import tqdm

from sbw.llm.model import Model, activations_at, special_tokens
from sbw.metrics.geometry import cosine_similarities
from sbw.pretrained.measured import DENSE

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 1.5rem; color: #222; background: #fff; }}
table {{ border-collapse: collapse; table-layout: fixed; width: 100%; }}
th, td {{ border-top: 1px solid #ccc; padding: .5rem .75rem; text-align: left; vertical-align: top; }}
td p {{ margin: .2rem 0; overflow-wrap: anywhere; font: 12px/1.5 ui-monospace, monospace; }}
td p.of {{ color: #555; font-family: system-ui, sans-serif; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{about}</p>
<table>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""
_ABOUT = (
    "A row shows a latent of the SAE in the column “{middle}”, one of the {count} that carry most of its "
    "reconstruction and fire on at most {dense:.0%} of the tokens. Beside it stand the latents of the other SAEs whose "
    "decoder rows are most like its own, with the cosine. Each shows the held-out texts on which it fires most, one "
    "per context; the darker a token, the stronger the latent fires on it."
)


class ReadTexts(NamedTuple):
    """Contexts with the model's activations."""

    contexts: Int[Tensor, "c t"]
    """Tokens."""
    wanted: Bool[Tensor, "c t"]
    """Which of them are not special."""
    activations: Float[Tensor, "c t d"]
    """The model's, per token."""


class Column(NamedTuple):
    """An SAE on the page."""

    title: str
    """Heading of its column."""
    sae: SAE[Any]
    """The SAE."""


class _Example(NamedTuple):
    tokens: list[str]
    strengths: list[float]
    """Of each token, as a share of the greatest."""


@torch.no_grad()
def read_texts(model: Model, hook: str, contexts: Int[Tensor, "c t"], batch_size: int) -> ReadTexts:
    """The model's activations on contexts."""
    batches = tqdm(torch.split(contexts, batch_size), desc="read", unit="batch", disable=None)
    found = [activations_at(model, hook, batch).float().cpu() for batch in batches]
    return ReadTexts(contexts.cpu(), ~torch.isin(contexts, special_tokens(model)).cpu(), torch.cat(found))


@torch.no_grad()
def texts_page(columns: Sequence[Column], texts: ReadTexts, tokenizer: Any, title: str, *, latents: int, examples: int,
         margin: int) -> str:  # fmt: skip
    """A page of HTML that loads nothing, with all texts and names escaped.

    Args:
        columns: the SAEs, in the order of their L0; the latents are those of the middle one.
        texts: what they fire on.
        tokenizer: of the model.
        title: of the page.
        latents: how many to show.
        examples: contexts per latent.
        margin: tokens on each side of the one on which it fires most.
    """
    middle = columns[len(columns) // 2]
    chosen = top_latents(middle.sae, texts.activations[texts.wanted], latents)
    cells = []
    for column in columns:
        near, cosines = counterparts(middle.sae.W_dec[chosen], column.sae.W_dec)
        acts = _acts_of(column.sae, near, texts)
        each = (
            (latent, cosine, of_latent[texts.wanted].gt(0).double().mean().item(),
             top_examples(of_latent, texts.contexts, tokenizer, examples, margin))
            for latent, cosine, of_latent in zip(near.tolist(), cosines.tolist(), acts, strict=True)
        )  # fmt: skip
        cells.append([_cell(*shown) for shown in each])
    rows = "\n".join(f"<tr>{''.join(row)}</tr>" for row in zip(*cells, strict=True))
    heads = "".join(f"<th>{escape(column.title)}</th>" for column in columns)
    about = _ABOUT.format(middle=middle.title, count=len(chosen), dense=DENSE)
    return PAGE.format(title=escape(title), about=escape(about), heads=heads, rows=rows)


@torch.no_grad()
def top_latents(sae: SAE[Any], x: Float[Tensor, "n d"], count: int) -> Int[Tensor, " m"]:
    """The latents that carry most of the reconstruction, Σ (a ‖d‖)² over tokens, among those that are not dense.

    As many as fire at all, at most `count`.
    """
    energy, fires = (torch.zeros(sae.cfg.d_sae, dtype=torch.double) for _ in range(2))
    for batch in torch.split(x, 4096):
        acts = sae.encode(batch)
        energy += acts.double().square().sum(dim=0)
        fires += (acts > 0).sum(dim=0)
    energy *= sae.W_dec.double().norm(dim=1).square()
    energy[(fires > DENSE * len(x)) | (fires == 0)] = -1
    best = energy.argsort(descending=True, stable=True)[:count]
    return best[energy[best] >= 0]


def counterparts(
    rows: Float[Tensor, "m d"], W_dec: Float[Tensor, "h d"]
) -> tuple[Int[Tensor, " m"], Float[Tensor, " m"]]:
    """For each row the latent of an SAE whose decoder row has the greatest cosine with it, and the cosine."""
    best = cosine_similarities(rows, W_dec).max(dim=1)
    return best.indices, best.values


def top_examples(
    acts: Float[Tensor, "c t"], contexts: Int[Tensor, "c t"], tokenizer: Any, count: int, margin: int
) -> list[_Example]:
    """The contexts on which a latent fires most, cut around the token on which it does; fewer if it fires on fewer."""
    peaks = acts.max(dim=1)
    best = peaks.values.argsort(descending=True, stable=True)[:count]
    return [
        _example(acts[i], contexts[i], int(peaks.indices[i]), tokenizer, margin)
        for i in best.tolist()
        if peaks.values[i] > 0
    ]


def _example(acts: Float[Tensor, " t"], context: Int[Tensor, " t"], peak: int, tokenizer: Any, margin: int) -> _Example:
    window = slice(max(0, peak - margin), peak + margin + 1)
    tokens = [tokenizer.decode([token]) for token in context[window].tolist()]
    return _Example(tokens, (acts[window] / acts[peak]).tolist())


def _acts_of(sae: SAE[Any], latents: Int[Tensor, " m"], texts: ReadTexts) -> Float[Tensor, "m c t"]:
    acts = torch.stack([sae.encode(context)[:, latents] for context in texts.activations])
    return torch.where(texts.wanted[..., None], acts, 0).permute(2, 0, 1)


def _cell(latent: int, cosine: float, density: float, examples: Sequence[_Example]) -> str:
    known = f"latent {latent}, cosine {cosine:.2f}, fires on {density:.2%}"
    shown = "".join(f"<p>{''.join(map(_token, *example))}</p>" for example in examples)
    return f'<td><p class="of">{known}</p>{shown}</td>'


def _token(token: str, strength: float) -> str:
    text = escape(token.replace("\n", "↵"))
    if strength <= 0:
        return text
    return f'<span style="background: rgba(1, 115, 178, {0.1 + 0.5 * strength:.2f})">{text}</span>'
