"""The SAEs in a folder, of any format that `formats` knows."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sbw.pretrained.formats import FORMATS, format_of
from sbw.pretrained.names import numbers_as_numbers, plain, stated_l0
from sbw.run.errors import UserError, not_found

_NAMED = {each.weights for each in FORMATS if "*" not in each.weights}


class Found(NamedTuple):
    """An SAE in a folder, not read yet."""

    name: str
    """Its folder below the searched one, with its file where that may hold several."""
    weights: Path
    l0: float | None
    """The L0 that its name states, if any."""


def find(folder: Path) -> list[Found]:
    """The SAEs in a folder, at any depth and through links, ordered by name, with numbers in names as numbers.

    Hidden folders, such as those of a run that was cut off, are passed over; what leads in a circle is followed once. A
    file of weights is the one SAE in it.

    Raises:
        FileNotFoundError, UserError: the folder, or an SAE in it, is not found.
    """
    if not folder.exists():
        raise not_found(folder)
    if folder.name in ("", ".."):  # relative to the current one, whose name may state an L0
        folder = Path(os.path.abspath(folder))
    if folder.is_file() and format_of(folder):
        return [Found(plain(folder.parent.name or folder.name), folder, stated_l0(str(folder)))]
    weights = [path for here in _folders(folder) for path in _weights(here)]
    if not weights:
        known = ", ".join(dict.fromkeys(each.weights for each in FORMATS))
        raise UserError(f"{folder} holds no SAE: no file in it is named {known}, with its config beside it")
    found = [Found(_name(path, folder), path, stated_l0(str(path.relative_to(folder.parent)))) for path in weights]
    return sorted(found, key=lambda one: numbers_as_numbers(one.name))


def _folders(folder: Path) -> Iterator[Path]:
    seen: set[str] = set()
    for here, below, _ in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        below[:] = [] if real in seen else [name for name in below if not _passed_over(Path(here), name)]
        if real not in seen:
            yield Path(here)
        seen.add(real)


def _passed_over(folder: Path, name: str) -> bool:
    """Whether a folder is hidden, or holds the checkpoints of a trainer of dictionary_learning that has finished."""
    return name.startswith(".") or (name == "checkpoints" and (folder / "ae.pt").is_file())


def _weights(folder: Path) -> list[Path]:
    """The files of weights in a folder; beside a named one, others are its trainer's state.

    A config of SAELens's without weights has the name of those that are missing, which reading them tells.
    """
    known = [path for path in folder.iterdir() if path.is_file() and format_of(path)]
    if not known and (folder / "cfg.json").is_file():
        return [folder / FORMATS[0].weights]
    return [path for path in known if path.name in _NAMED] or known


def _name(weights: Path, folder: Path) -> str:
    form = format_of(weights)
    place = weights.parent if weights.name in _NAMED else weights
    if form and form.config and form.config.startswith(".."):
        place = place.parent
    return plain(str(place.relative_to(folder)) if place not in (folder, folder.parent) else folder.name)
