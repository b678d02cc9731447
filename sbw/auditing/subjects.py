"""The SAEs of an audit: those in folders, and those that patterns choose from SAELens's directory."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from sbw.pretrained.formats import Files, read_files
from sbw.pretrained.found import Found, find
from sbw.pretrained.names import plain


class Subject(NamedTuple):
    """An SAE to audit, not read yet."""

    name: str
    l0: float | None
    """The L0 that its name states, if any."""
    read: Callable[[], Files]


def subjects_of(folders: Sequence[Path], hub: Sequence[str]) -> list[Subject]:
    """The SAEs in some folders, of which several go before the names, and those whose `release/sae_id` a pattern has.

    Raises:
        FileNotFoundError, UserError: a folder has no SAE, or a pattern matches none.
    """
    several = len(folders) > 1
    subjects = [
        Subject(_with_folder(folder, one) if several else one.name, one.l0, partial(read_files, one.weights))
        for folder in folders
        for one in find(folder)
    ]
    if hub:
        from sbw.pretrained.hub import announce, in_directory  # imports SAELens, for seconds

        listed = in_directory(hub)
        announce(listed)
        subjects += [Subject(one.name, one.l0, one.files) for one in listed]
    return _numbered(subjects)


def _with_folder(folder: Path, one: Found) -> str:
    """The name of an SAE among those of several folders: the folder's goes before, unless it is that of the SAE."""
    itself = folder.is_file() or one.name == plain(folder.name)
    return plain(str(folder if itself else folder / one.name))


def _numbered(subjects: list[Subject]) -> list[Subject]:
    """The same with a number behind a name that others have too, as one does that lacks its middle."""
    seen = Counter[str]()
    found = []
    for one in subjects:
        seen[one.name] += 1
        count = seen[one.name]
        found.append(one._replace(name=f"{one.name} ({count})") if count > 1 else one)
    return found
