"""SAEs of SAELens's directory by shell patterns, fetched from the Hugging Face hub."""

import sys
from collections import defaultdict
from collections.abc import Sequence
from fnmatch import fnmatchcase

from huggingface_hub import HfApi
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
            raise UserError(f"no SAE of SAELens's directory matches {pattern!r}, a release/sae_id")
    chosen: set[str] = set().union(*matches.values())
    return [Listed(name, None, l0) for name, l0 in names.items() if name in chosen]


def announce(listed: Sequence[Listed]) -> None:
    """Say on stderr which SAEs are fetched, unless they are in the cache, and how large they are if the hub tells."""
    directory = get_pretrained_saes_directory()
    places = defaultdict(list)
    for one in listed:
        release, sae_id = one.name.split("/", 1)
        places[directory[release].repo_id].append(directory[release].saes_map[sae_id])
    for repo, paths in places.items():
        size = _size(repo, paths)
        of_size = "size unknown, since the hub cannot be asked" if size is None else f"{size / 1e6:,.0f} MB"
        print(f"audit: fetching from {repo} what is not in the cache: {len(paths)} SAEs, {of_size}", file=sys.stderr)


def _size(repo: str, paths: Sequence[str]) -> int | None:
    """Bytes of the files at or below these paths; None where the hub cannot be asked."""
    try:
        files = list(HfApi().list_repo_tree(repo, recursive=True))
    except Exception:  # whatever its HTTP library raises: the audit goes on, and says what cannot be fetched
        return None
    return sum(getattr(file, "size", 0) for file in files
               if any(file.path == path or file.path.startswith(f"{path}/") for path in paths))  # fmt: skip
