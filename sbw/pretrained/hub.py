"""SAEs of SAELens's directory by shell patterns, fetched from the Hugging Face hub."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

from sbw.pretrained.listed import Listed
from sbw.pretrained.names import stated_l0
from sbw.run.errors import UserError


def in_directory(patterns: Sequence[str]) -> list[Listed]:
    """The SAEs of SAELens's directory whose `release/sae_id` a shell pattern matches.

    Raises:
        UserError: a pattern matches none.
    """
    directory = get_pretrained_saes_directory()
    names = {f"{release}/{sae_id}": entry.expected_l0[sae_id] or stated_l0(entry.saes_map[sae_id])
             for release, entry in directory.items() for sae_id in entry.saes_map}  # fmt: skip
    matches = {pattern: {name for name in names if fnmatchcase(name, pattern)} for pattern in patterns}
    for pattern, matched in matches.items():
        if not matched:
            raise UserError(f"`audit.hub`: no SAE of SAELens's directory matches {pattern!r}, a release/sae_id")
    chosen: set[str] = set().union(*matches.values())
    return [Listed(name, None, l0) for name, l0 in names.items() if name in chosen]
