"""The decoder metrics of anybody's SAEs: a row an SAE, from its weights alone."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from itertools import combinations
from typing import Any

import pandas as pd
import pyarrow as pa
import torch
from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory
from tqdm import tqdm

from sbw.files import column
from sbw.metrics.geometry import null_pairwise_cosine, pairwise_cosine
from sbw.metrics.stability import decoder_agreement
from sbw.pretrained.directory import plain
from sbw.pretrained.listed import Listed, stated_l0
from sbw.run.errors import UserError

AUDIT = pa.schema(
    [
        column("sae", pa.string(), "its folder below `audit.folder`, or release/sae_id"),
        column(
            "family", pa.string(), "what SAEs that can be compared have in common: architecture, shape, model, hook"
        ),
        column("d_in", pa.int64(), "width of the activations"),
        column("d_sae", pa.int64(), "number of latents"),
        column(
            "setting", pa.float64(), "what SAEs that differ by their seed alone have in common: k, or the L0 stated"
        ),
        column(
            "l0",
            pa.float64(),
            "active latents a sample: as its metadata say, else its k, or what its name or the directory states",
        ),
        column("c_dec", pa.float64(), "mean absolute cosine similarity of two decoder rows"),
        column("c_dec_over_null", pa.float64(), "c_dec over that of random directions, sqrt(2 / (pi d_in))"),
    ]
)
AGREEMENTS = pa.schema(
    [
        column("family", pa.string(), "that both SAEs are of"),
        column("setting", pa.float64(), "that both SAEs have"),
        column("l0", pa.float64(), "of both SAEs, on average"),
        column("agreement", pa.float64(), "mean absolute cosine of their decoder rows, matched one to one"),
    ]
)
MATCHED_UP_TO = 4096
"""Latents up to which decoders are matched with each other: the time goes with the cube of their number."""


def in_directory(patterns: Sequence[str]) -> list[Listed]:
    """The SAEs of SAELens's directory whose `release/sae_id` a shell pattern matches.

    Raises:
        UserError: a pattern matches none.
    """
    directory = get_pretrained_saes_directory()
    names = {f"{release}/{sae_id}": entry.expected_l0[sae_id] or stated_l0(entry.saes_map[sae_id])
             for release, entry in directory.items() for sae_id in entry.saes_map}  # fmt: skip
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UserError(f"`audit.hub`: no SAE of SAELens's directory matches {pattern!r}, a release/sae_id")
    return [
        Listed(name, None, l0) for name, l0 in names.items() if any(fnmatchcase(name, pattern) for pattern in patterns)
    ]


@torch.no_grad()
def audit(listed: Sequence[Listed]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of `AUDIT`, and those of `AGREEMENTS` for each two SAEs of one family and setting.

    Raises:
        UserError: an SAE cannot be loaded, or its L0 is not known.
    """
    saes = pd.DataFrame(
        [_row(one) for one in tqdm(listed, desc="audit", unit="SAE", disable=None)], columns=AUDIT.names
    )
    small = saes[saes["d_sae"] <= MATCHED_UP_TO]
    agreements = []
    for keys, alike in small.groupby(["family", "setting"]):
        loaded = [(listed[i].load().W_dec, saes["l0"][i]) for i in alike.index] if len(alike) > 1 else []
        for (a, l0_a), (b, l0_b) in combinations(loaded, 2):
            agreements.append((*keys, (l0_a + l0_b) / 2, decoder_agreement(a, b)))
    return saes, pd.DataFrame(agreements, columns=AGREEMENTS.names)


def _row(one: Listed) -> dict[str, Any]:
    sae = one.load()
    metadata, d_in = sae.cfg.metadata, sae.cfg.d_in
    details = metadata.training_architecture_details or {}
    setting = getattr(sae.cfg, "k", None) or details.get("k") or one.l0
    l0 = metadata.l0 or setting
    if l0 is None:
        raise UserError(f"the L0 of {one.name} is not known: name its folder after it, as in `l0_57`")
    architecture, shape = metadata.training_architecture or sae.cfg.architecture(), f"{d_in} -> {sae.cfg.d_sae} latents"
    family = (architecture, shape, metadata.model_name, metadata.hook_name)
    c_dec = pairwise_cosine(sae.W_dec)
    return {
        "sae": one.name,
        "family": ", ".join(plain(str(part)) for part in family if part),
        "d_in": d_in,
        "d_sae": sae.cfg.d_sae,
        "setting": float(setting or l0),
        "l0": float(l0),
        "c_dec": c_dec,
        "c_dec_over_null": c_dec / null_pairwise_cosine(d_in),
    }
