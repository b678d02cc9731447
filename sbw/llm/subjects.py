"""Which SAEs to look at: those trained here, in any folder, or in SAELens's directory by regular expression."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from sae_lens import SAE

from sbw.directory import pretrained_saes
from sbw.llm.model import Model, require_hook
from sbw.saes import load_sae

MATCH_COLUMNS = ["model", "release", "sae_id", "l0", "variance_explained", "neuronpedia_id"]


class Subject(NamedTuple):
    """An SAE that is not loaded yet."""

    name: str
    """Its folder below the one named, or release/sae_id."""
    folder: Path | None
    """Its folder; None for one of SAELens's directory."""

    def load(self) -> SAE[Any]:
        """A fresh copy of the SAE.

        Raises:
            FileNotFoundError, ValueError: it is not there, cannot be read, or cannot be fetched from the hub.
        """
        if self.folder:
            return load_sae(self.folder)
        release, sae_id = self.name.split("/", 1)
        try:
            return SAE.from_pretrained(release, sae_id)
        except (OSError, ValueError) as error:
            raise ValueError(
                f"`llm.evals`: {self.name} cannot be fetched from the Hugging Face hub; where HF_HUB_OFFLINE is set, "
                f"unset it to allow the look-up ({str(error).splitlines()[0]})"
            ) from error


def in_folder(folder: Path) -> list[Subject]:
    """The SAELens SAEs in a folder, at any depth, in the order of their names.

    Raises:
        ValueError: there is none.
    """
    found = sorted((path.parent for path in folder.rglob("cfg.json")), key=_numbers_as_numbers)
    if not found:
        raise ValueError(f"{folder} holds no SAELens SAE: no folder in it has a cfg.json")
    return [Subject(str(path.relative_to(folder)) if path != folder else folder.name, path) for path in found]


def matching(release: str, sae_id: str) -> pd.DataFrame:
    """The SAEs of SAELens's directory whose release and id two regular expressions match whole, as `sae_lens.evals`.

    Returns:
        A row an SAE with `MATCH_COLUMNS`; none is loaded.

    Raises:
        ValueError: a regular expression is none, or no SAE matches.
    """
    try:
        saes, patterns = pretrained_saes(), (re.compile(release), re.compile(sae_id))
    except re.error as error:
        raise ValueError(f"{release!r} or {sae_id!r} is not a regular expression: {error}") from error
    matched = [
        all(pattern.fullmatch(name) for pattern, name in zip(patterns, names, strict=True))
        for names in zip(saes["release"], saes["sae_id"], strict=True)
    ]
    if not any(matched):
        raise ValueError(f"no SAE of SAELens's directory matches release {release!r} and SAE {sae_id!r}")
    return saes.loc[matched, MATCH_COLUMNS].reset_index(drop=True)


def subjects(trained: Path, folders: Sequence[str], release: str, sae_id: str) -> list[Subject]:
    """The SAEs trained here, those in the folders, and, if `release` is not empty, those it matches in the directory.

    Raises:
        ValueError: a folder has none, nothing matches, or two have one name.
    """
    found = [subject for folder in (trained, *map(Path, folders)) for subject in in_folder(folder)]
    if release:
        matches = matching(release, sae_id)
        found += [Subject(f"{row.release}/{row.sae_id}", None) for row in matches.itertuples()]
    names = [subject.name for subject in found]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"`llm.evals.folders`: SAEs must have different names, got more than one {', '.join(doubled)}")
    return found


def require_fit(sae: SAE[Any], name: str, model: Model) -> None:
    """Refuse an SAE that is not of this model.

    Raises:
        ValueError: its hook is not in the model, or its width is another.
    """
    metadata, width = sae.cfg.metadata, model.cfg.d_model
    require_hook(model, str(metadata.hook_name), f"hook_name of {name}")
    if sae.cfg.d_in != width:
        raise ValueError(
            f"{name} takes activations {sae.cfg.d_in} wide, of {metadata.model_name}; those of `llm.model` are {width}"
        )


def _numbers_as_numbers(path: Path) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", str(path))]
