"""Which of some SAEs have the right L0? One row per SAE from its decoder alone, and a verdict per family of them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn.functional import normalize
from tqdm import tqdm

from sbw.files import column, save_table
from sbw.metrics.geometry import null_pairwise_cosine, pairwise_cosine
from sbw.metrics.stability import agreements
from sbw.pretrained.formats import Decoder, read_decoder
from sbw.pretrained.found import find
from sbw.pretrained.names import plain
from sbw.run.errors import UserError
from sbw.run.outputs import whole, write_json
from sbw.verdict.recommendation import recommend

AUDIT = pa.schema(
    [
        column("sae", pa.string(), "its folder below the audited one, or release/sae_id"),
        column("family", pa.string(), "architecture, shape, model and hook: equal for SAEs that can be compared"),
        column("d_in", pa.int64(), "width of the activations"),
        column("d_sae", pa.int64(), "number of latents"),
        column("zero_rows", pa.int64(), "decoder rows of zeros, which no metric counts"),
        column(
            "setting", pa.float64(), "k, or the stated L0: equal for SAEs that differ in their seed alone; else null"
        ),
        column("l0", pa.float64(), "active latents per sample, from its metadata, else its k or name; null if unknown"),
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
SAME_RUN = 0.9
"""Mean cosine of the rows of two decoders, one by one, from which they are of one run: seeds order them differently."""
_COMPARED = 64  # rows
_UNKNOWN = "its L0 is not known: name its folder after it, as in `l0_57`"
_PAIRS = {"setting": "k", "sae_a": "seed_a", "sae_b": "seed_b"}


class Subject(NamedTuple):
    """An SAE to audit, not read yet."""

    name: str
    l0: float | None
    """The L0 that its name states, if any."""
    read: Callable[[], Decoder]


class Audit(NamedTuple):
    """What an audit found."""

    saes: pd.DataFrame
    """The rows of `AUDIT`: one per SAE that was read."""
    agreements: pd.DataFrame
    """The rows of `AGREEMENTS`: one per pair of SAEs of one family and setting."""
    verdicts: dict[str, dict[str, Any]]
    """The document of each family's `Recommendation`."""
    left_out: dict[str, str]
    """Why an SAE is in no verdict, by its name."""

    @property
    def words(self) -> str:
        """The SAEs as a table, those left out, then each family's verdicts, one sentence per line."""
        shown = self.saes[["sae", "l0", "c_dec", "c_dec_over_null"]].to_string(index=False, float_format="%.4g")
        left_out = [f"{name}: {cause}" for name, cause in self.left_out.items()]
        if left_out:
            left_out = ["", f"Left out: {len(left_out)}", *left_out]
        return "\n".join([shown, *left_out, *(_paragraph(*verdict) for verdict in self.verdicts.items())])

    @property
    def document(self) -> dict[str, Any]:
        """The rows of the SAEs, the verdicts of the families and what was left out, ready for JSON."""
        rows = [{key: None if pd.isna(value) else value for key, value in row.items()}
                for row in self.saes.to_dict("records")]  # fmt: skip
        return {"saes": rows, "families": self.verdicts, "left_out": self.left_out}

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

    An SAE that cannot be read, or has no L0, is left out of the verdicts; so are copies, and all but the last of
    several SAEs of one run, which are no seeds.

    Args:
        folders: of SAEs in any format that `sbw.pretrained.formats` knows, at any depth; with several, an SAE's name
            begins with its folder's.
        hub: shell patterns of `release/sae_id` in SAELens's directory, fetched from the Hugging Face hub.
        seed: of the draws behind the intervals.

    Raises:
        FileNotFoundError, UserError: a folder has no SAE, a pattern matches none, or no SAE can be read.
    """
    subjects = _in_folders([Path(folder) for folder in folders])
    if hub:
        from sbw.pretrained.hub import in_directory  # imports SAELens, for seconds

        subjects += [Subject(one.name, one.l0, one.decoder) for one in in_directory(hub)]
    return _audited(subjects, seed)


def _in_folders(folders: Sequence[Path]) -> list[Subject]:
    several = len(folders) > 1
    return [
        Subject(plain(str(folder / one.name)) if several else one.name, one.l0, partial(read_decoder, one.weights))
        for folder in folders
        for one in find(folder)
    ]


@torch.no_grad()
def _audited(subjects: Sequence[Subject], seed: int) -> Audit:
    rows: dict[str, dict[str, Any]] = {}
    prints: dict[str, Tensor] = {}
    left_out = {}
    for one in tqdm(subjects, desc="audit", unit="SAE", disable=None):
        try:
            decoder = one.read()
            rows[one.name], prints[one.name] = _row(one, decoder), normalize(decoder.W_dec[:_COMPARED], dim=1)
        except FileNotFoundError as error:
            left_out[one.name] = f"{error.filename}: not found"
        except (UserError, OSError) as error:
            left_out[one.name] = str(error)
    if not rows:
        raise UserError("no SAE can be judged; " + "; ".join(f"{name}: {cause}" for name, cause in left_out.items()))
    left_out |= {name: _UNKNOWN for name, row in rows.items() if row["l0"] is None} | _repeated(rows, prints)
    saes = pd.DataFrame(rows.values(), columns=AUDIT.names).astype({"setting": float, "l0": float})
    judged = saes[~saes["sae"].isin(left_out)]
    pairs = _pairs(judged, {one.name: one.read for one in subjects})
    return Audit(saes, pairs, _verdicts(judged, pairs, seed), left_out)


def _row(one: Subject, decoder: Decoder) -> dict[str, Any]:
    h, d_in = decoder.W_dec.shape
    rows = decoder.W_dec[decoder.W_dec.any(dim=1)]
    if len(rows) < 2:
        raise UserError(f"it has {h} latents, of which {len(rows)} are not zero: c_dec needs two")
    setting = decoder.setting or one.l0
    architecture, *context = decoder.family
    c_dec = pairwise_cosine(rows)
    return {
        "sae": one.name,
        "family": ", ".join(plain(part) for part in (architecture, f"{d_in} -> {h} latents", *context)),
        "d_in": d_in,
        "d_sae": h,
        "zero_rows": h - len(rows),
        "setting": setting or decoder.l0,
        "l0": decoder.l0 or setting,
        "c_dec": c_dec,
        "c_dec_over_null": c_dec / null_pairwise_cosine(d_in),
    }


def _repeated(rows: Mapping[str, dict[str, Any]], prints: Mapping[str, Tensor]) -> dict[str, str]:
    """The copies among SAEs, and those of a run that has a later one."""
    repeated = {}
    for (a, row_a), (b, row_b) in combinations(rows.items(), 2):
        if (row_a["family"], row_a["setting"]) != (row_b["family"], row_b["setting"]):
            continue
        if torch.equal(prints[a], prints[b]) and row_a["c_dec"] == row_b["c_dec"]:
            repeated[b] = f"a copy of {a}"
        elif (prints[a] * prints[b]).sum(dim=1).mean() > SAME_RUN:
            repeated.setdefault(a, f"of the same run as {b}, and no other seed: their latents have one order")
    return repeated


def _pairs(judged: pd.DataFrame, read: Mapping[str, Callable[[], Decoder]]) -> pd.DataFrame:
    pairs = [
        (*keys, *pair)
        for keys, alike in judged.groupby(["family", "setting"])
        if len(alike) > 1
        for pair in agreements({name: read[name]().W_dec for name in alike["sae"]})
    ]
    return pd.DataFrame(pairs, columns=AGREEMENTS.names)


def _verdicts(saes: pd.DataFrame, pairs: pd.DataFrame, seed: int) -> dict[str, dict[str, Any]]:
    saes, pairs = saes.rename(columns={"setting": "k", "sae": "seed"}), pairs.rename(columns=_PAIRS)
    return {
        str(family): recommend(alike, pairs=pairs[pairs["family"] == family], seed=seed).document
        for family, alike in saes.groupby("family")
    }


def _paragraph(family: str, verdict: dict[str, Any]) -> str:
    sentences = [each["words"] for each in (*verdict["metrics"].values(), verdict)]
    return "\n".join(["", family, *dict.fromkeys(sentences)])
