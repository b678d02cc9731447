"""The SAEs to evaluate: trained here, in a folder, or in SAELens's directory by regular expression."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from sae_lens import SAE, Transcoder

from sbw.llm.model import BY_THE_SAE, Model, require_hook, require_normalisation, width_at
from sbw.pretrained.directory import pretrained_saes
from sbw.pretrained.listed import Listed, in_folder
from sbw.run.errors import UserError

BY_MEAN_NORM = "expected_average_only_in"
"""Normalisation by one factor, so that the mean norm is √d; it is not in an SAE's files unless it is folded in."""
MATCH_COLUMNS = ["model", "release", "sae_id", "l0", "variance_explained", "neuronpedia_id"]


def matching(release: str, sae_id: str) -> pd.DataFrame:
    """The SAEs of SAELens's directory whose release and id two regular expressions match whole, as `sae_lens.evals`.

    Returns:
        One row per SAE with `MATCH_COLUMNS`; none is loaded.

    Raises:
        UserError: a regular expression is invalid, or no SAE matches.
    """
    try:
        saes, patterns = pretrained_saes(), (re.compile(release), re.compile(sae_id))
    except re.error as error:
        raise UserError(f"{release!r} or {sae_id!r} is not a regular expression: {error}") from error
    matched = [
        all(pattern.fullmatch(name) for pattern, name in zip(patterns, names, strict=True))
        for names in zip(saes["release"], saes["sae_id"], strict=True)
    ]
    if not any(matched):
        raise UserError(f"no SAE of SAELens's directory matches release {release!r} and SAE {sae_id!r}")
    return saes.loc[matched, MATCH_COLUMNS].reset_index(drop=True)


def subjects(trained: Path, folders: Sequence[str], release: str, sae_id: str) -> list[Listed]:
    """The SAEs trained here, those in the folders, and, if `release` is not empty, those it matches in the directory.

    Raises:
        UserError: a folder has no SAE, nothing matches, or two SAEs have the same name.
    """
    found = [sae for folder in (trained, *map(Path, folders)) for sae in in_folder(folder)]
    if release:
        matches = matching(release, sae_id)
        found += [Listed(f"{row['release']}/{row['sae_id']}", None, row["l0"]) for _, row in matches.iterrows()]
    names = [sae.name for sae in found]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise UserError(f"`evals.folders`: SAEs must have different names, got more than one {', '.join(doubled)}")
    return found


def require_fit(sae: SAE[Any], name: str, model: Model) -> None:
    """Refuse an SAE of another model, and one that cannot be evaluated.

    Raises:
        UserError: its hook is not in the model, or its width is another; it is a transcoder, reads one head alone, or
            normalises activations in a way that its files do not hold.
    """
    metadata = sae.cfg.metadata
    hook, head = str(metadata.hook_name), metadata.hook_head_index
    require_hook(model, hook, f"hook_name of {name}")
    if isinstance(sae, Transcoder):
        raise UserError(f"{name} is a transcoder, which does not reconstruct the activations that it takes")
    if head is not None:
        raise UserError(f"`hook_head_index` of {name} must be null, for all heads together, got {head}")
    require_normalisation(sae, name, (*BY_THE_SAE, BY_MEAN_NORM))
    width = width_at(model, hook)
    if sae.cfg.d_in != width:
        own, theirs = f"{name} takes activations {sae.cfg.d_in} wide", f"those of `model` at {hook} are {width}"
        raise UserError(f"{own}, of {metadata.model_name}; {theirs}")
