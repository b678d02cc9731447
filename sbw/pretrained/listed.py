"""SAELens's SAEs, in folders or in its directory, listed before they are loaded."""

from pathlib import Path
from typing import Any, NamedTuple

from sae_lens import SAE
from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

from sbw.pretrained.formats import FORMATS, Files, flat
from sbw.pretrained.found import find
from sbw.run.errors import UserError
from sbw.saes.disk import load_sae


class Listed(NamedTuple):
    """An SAE that is not loaded yet."""

    name: str
    """Its folder below the named one, or release/sae_id."""
    folder: Path | None
    """Its folder; None in SAELens's directory."""
    l0: float | None
    """The L0 that its name or the directory states, if any."""

    def load(self) -> SAE[Any]:
        """A fresh copy of the SAE.

        Raises:
            FileNotFoundError, UserError: a file is missing, is not readable, or cannot be fetched from the hub.
        """
        if self.folder:
            return load_sae(self.folder)
        release, sae_id = self.name.split("/", 1)
        try:
            return SAE.from_pretrained(release, sae_id)
        except (OSError, ValueError) as error:
            entry = get_pretrained_saes_directory()[release]
            raise UserError(
                f"{self.name} cannot be fetched from the Hugging Face hub: unset HF_HUB_OFFLINE to allow the look-up, "
                f"or download {entry.saes_map[sae_id]} of {entry.repo_id} where the hub can be reached, save it by "
                f"SAELens, and name its folder instead ({str(error).splitlines()[0]})"
            ) from error

    def files(self) -> Files:
        """What its files hold, whatever they are; raises as `load` does."""
        sae = self.load()
        weights = {name: value.detach() for name, value in sae.state_dict().items()}
        return Files(Path(self.name), FORMATS[0], weights, flat(sae.cfg.to_dict()))


def in_folder(folder: Path) -> list[Listed]:
    """The SAEs that `find` finds in a folder, those of SAELens's format alone.

    Raises:
        FileNotFoundError, UserError: the folder, or such an SAE in it, is not found.
    """
    weights = FORMATS[0].weights
    found = [Listed(one.name, one.weights.parent, one.l0) for one in find(folder) if one.weights.name == weights]
    if not found:
        raise UserError(f"{folder} holds no SAELens SAE: no file in it is named {weights}")
    return found
