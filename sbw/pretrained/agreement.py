"""The agreement of decoders of any size.

Shapes: h latents, d width of the activations.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize
from tqdm import tqdm

from sbw.metrics.stability import MATCHED_UP_TO, decoder_agreement

K = TypeVar("K")

_AT_ONCE = 1 << 26  # cosines


def agreements(decoders: Mapping[K, Float[Tensor, "h d"]]) -> list[tuple[K, K, float]]:
    """The keys and agreement of each pair of decoders; of more than MATCHED_UP_TO latents by `greedy_agreement`."""
    pairs = list(combinations(decoders, 2))
    of = decoder_agreement if len(next(iter(decoders.values()))) <= MATCHED_UP_TO else greedy_agreement
    return [(a, b, of(decoders[a], decoders[b])) for a, b in tqdm(pairs, desc="agree", unit="pair", disable=None)]


@torch.no_grad()
def greedy_agreement(a: Float[Tensor, "h d"], b: Float[Tensor, "h d"]) -> float:
    """`decoder_agreement` by a greedy matching, in blocks: at most the exact one, and nearly that.

    Rows that are nearest to each other, by |cosine|, are matched, then those among the others, until all are. The time
    grows with h² d, where the exact matching takes h³.
    """
    left_a, left_b, total, h = normalize(a, dim=1), normalize(b, dim=1), 0.0, len(a)
    while len(left_a):
        value, nearest, back = _nearest(left_a, left_b)
        mutual = back[nearest] == torch.arange(len(left_a))
        total += value[mutual].double().sum().item()
        unmatched = torch.ones(len(left_b), dtype=torch.bool)
        unmatched[nearest[mutual]] = False
        left_a, left_b = left_a[~mutual], left_b[unmatched]
    return total / h


def _nearest(
    a: Float[Tensor, "n d"], b: Float[Tensor, "n d"]
) -> tuple[Float[Tensor, " n"], Int[Tensor, " n"], Int[Tensor, " n"]]:
    """The greatest |cosine| of each row of a, the row of b that has it, and of each row of b the row of a."""
    values, nearest, best, back = [], [], torch.full((len(b),), -1.0), torch.zeros(len(b), dtype=torch.long)
    first = 0
    for block in torch.split(a, max(1, _AT_ONCE // len(b))):
        cosines = (block @ b.T).abs_()
        of_a, of_b = cosines.max(dim=1), cosines.max(dim=0)
        values.append(of_a.values)
        nearest.append(of_a.indices)
        nearer = of_b.values > best
        back[nearer], best[nearer] = of_b.indices[nearer] + first, of_b.values[nearer]
        first += len(block)
    return torch.cat(values), torch.cat(nearest), back
