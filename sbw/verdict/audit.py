"""Which of some SAEs have the right L0? One row per SAE from its decoder alone, and a verdict per family of them."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import torch
from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory
from tqdm import tqdm

from sbw.files import column, save_table
from sbw.metrics.geometry import null_pairwise_cosine, pairwise_cosine
from sbw.metrics.stability import agreements
from sbw.pretrained.directory import plain
from sbw.pretrained.listed import Listed, in_folder, stated_l0
from sbw.run.errors import UserError
from sbw.run.outputs import whole, write_json
from sbw.verdict.recommendation import recommend

AUDIT = pa.schema(
    [
        column("sae", pa.string(), "its folder below the audited one, or release/sae_id"),
        column("family", pa.string(), "architecture, shape, model and hook: equal for SAEs that can be compared"),
        column("d_in", pa.int64(), "width of the activations"),
        column("d_sae", pa.int64(), "number of latents"),
        column("setting", pa.float64(), "k, or the stated L0: equal for SAEs that differ in their seed alone"),
        column("l0", pa.float64(), "active latents per sample, from its metadata, else its k, or what a name states"),
        column("c_dec", pa.float64(), "mean absolute cosine similarity of two decoder rows"),
        column("c_dec_over_null", pa.float64(), "c_dec over that of random directions, sqrt(2 / (pi d_in))"),
    ]
)
AGREEMENTS = pa.schema(
    [
        column("family", pa.string(), "family of both SAEs"),
        column("setting", pa.float64(), "setting of both SAEs"),
        column("sae_a", pa.string(), "one SAE"),
        column("sae_b", pa.string(), "the other"),
        column("agreement", pa.float64(), "mean absolute cosine of their decoder rows, matched one to one"),
    ]
)
_PAIRS = {"setting": "k", "sae_a": "seed_a", "sae_b": "seed_b"}


class Audit(NamedTuple):
    """What an audit found."""

    saes: pd.DataFrame
    """The rows of `AUDIT`: one per SAE."""
    agreements: pd.DataFrame
    """The rows of `AGREEMENTS`: one per pair of SAEs of one family and setting."""
    verdicts: dict[str, dict[str, Any]]
    """The document of each family's `Recommendation`."""

    @property
    def words(self) -> str:
        """The SAEs as a table, then each family's verdicts, one sentence per line."""
        shown = self.saes[["sae", "l0", "c_dec", "c_dec_over_null"]].to_string(index=False, float_format="%.4g")
        return "\n".join([shown, *(_paragraph(*verdict) for verdict in self.verdicts.items())])

    @property
    def document(self) -> dict[str, Any]:
        """The rows of the SAEs and the verdicts of the families, ready for JSON."""
        return {"saes": self.saes.to_dict("records"), "families": self.verdicts}

    def save(self, folder: Path | str) -> None:
        """Write saes.parquet, agreements.parquet and verdicts.json to a folder.

        Raises:
            OSError: a file cannot be written.
        """
        for name, table, schema in (("saes", self.saes, AUDIT), ("agreements", self.agreements, AGREEMENTS)):
            with whole(Path(folder, f"{name}.parquet")) as path:
                save_table(table, schema, path)
        with whole(Path(folder, "verdicts.json")) as path:
            write_json(self.verdicts, path)


def audit(*folders: Path | str, hub: Sequence[str] = (), seed: int = 0) -> Audit:
    """Measure the decoders of the SAEs in some folders, and judge which L0 is right per family.

    Args:
        folders: of SAELens SAEs, at any depth; with several, an SAE's name begins with its folder's.
        hub: shell patterns of `release/sae_id` in SAELens's directory, fetched from the Hugging Face hub.
        seed: of the draws behind the intervals.

    Raises:
        UserError: a folder has no SAE, a pattern matches none, or the L0 of an SAE is not known.
        ValueError: an SAE cannot be loaded.
    """
    return _audited([*_in_folders([Path(folder) for folder in folders]), *in_directory(hub)], seed)


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


def _in_folders(folders: Sequence[Path]) -> list[Listed]:
    several = len(folders) > 1
    return [
        one._replace(name=plain(str(folder / one.name))) if several else one
        for folder in folders
        for one in in_folder(folder)
    ]


@torch.no_grad()
def _audited(listed: Sequence[Listed], seed: int) -> Audit:
    rows = [_row(one) for one in tqdm(listed, desc="audit", unit="SAE", disable=None)]
    saes = pd.DataFrame(rows, columns=AUDIT.names)
    pairs = [
        (*keys, *pair)
        for keys, alike in saes.groupby(["family", "setting"])
        if len(alike) > 1
        for pair in agreements({listed[i].name: listed[i].load().W_dec for i in alike.index})
    ]
    table = pd.DataFrame(pairs, columns=AGREEMENTS.names)
    return Audit(saes, table, _verdicts(saes, table, seed))


def _verdicts(saes: pd.DataFrame, pairs: pd.DataFrame, seed: int) -> dict[str, dict[str, Any]]:
    saes, pairs = saes.rename(columns={"setting": "k", "sae": "seed"}), pairs.rename(columns=_PAIRS)
    return {
        str(family): recommend(alike, pairs=pairs[pairs["family"] == family], seed=seed).document
        for family, alike in saes.groupby("family")
    }


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


def _paragraph(family: str, verdict: dict[str, Any]) -> str:
    sentences = [each["words"] for each in (*verdict["metrics"].values(), verdict)]
    return "\n".join(["", family, *dict.fromkeys(sentences)])
