"""Copies and checkpoints among SAEs, which are no seeds, and the agreement of those that are.

Shapes: h latents, d width of the activations.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import pandas as pd
import pyarrow as pa
import torch
from jaxtyping import Float
from torch import Tensor

from sbw.auditing.subjects import Subject
from sbw.files import column
from sbw.pretrained.agreement import agreements
from sbw.pretrained.formats import decoder_of

AGREEMENTS = pa.schema(
    [
        column("family", pa.string(), "family of both SAEs"),
        column("setting", pa.float64(), "setting of both SAEs"),
        column("sae_a", pa.string(), "one SAE"),
        column("sae_b", pa.string(), "the other"),
        column("agreement", pa.float64(), "mean absolute cosine of their decoder rows, matched one to one"),
    ]
)
SAME_RUN = 0.9
"""Mean cosine of the rows of two decoders, one by one, from which they are of one run: seeds order them differently."""


def repeated(rows: Mapping[str, dict[str, Any]], prints: Mapping[str, Float[Tensor, "n d"]]) -> dict[str, str]:
    """The copies among SAEs, and those of a run that has a later one, each with the cause.

    Args:
        rows: of `AUDIT`, by the SAE's name.
        prints: the first rows of each decoder, of norm 1.
    """
    alike = [(a, b) for a, b in combinations(rows, 2) if rows[a]["family"] == rows[b]["family"]]
    copies = {
        b: f"a copy of {a}: their decoders are equal"
        for a, b in reversed(alike)  # of several, the first is named
        if torch.equal(prints[a], prints[b])
        and rows[a]["c_dec"] == rows[b]["c_dec"]
        and ("rows" not in rows[a] or rows[a]["l0"] == rows[b]["l0"])  # measured, thresholds may differ
    }
    earlier = {
        a: f"an earlier checkpoint of the run of {b}: their latents are in the same order"
        for a, b in alike
        if not {a, b} & copies.keys()
        and rows[a]["setting"] == rows[b]["setting"]
        and (prints[a] * prints[b]).sum(dim=1).mean() > SAME_RUN
    }
    return copies | earlier


def pairs_of(judged: pd.DataFrame, subjects: Mapping[str, Subject]) -> pd.DataFrame:
    """The rows of `AGREEMENTS`, of rows of `AUDIT` and the SAEs by their names."""
    pairs = [
        (*keys, *pair)
        for keys, alike in judged.groupby(["family", "setting"])
        if len(alike) > 1
        for pair in agreements({name: decoder_of(subjects[name].read()) for name in alike["sae"]})
    ]
    return pd.DataFrame(pairs, columns=AGREEMENTS.names)
