"""Which of some SAEs have the right L0? One row per SAE, and a verdict per family of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from torch.nn.functional import normalize
from tqdm import tqdm

from sbw.auditing.activations import Source, SourceError, source_of
from sbw.auditing.repeated import AGREEMENTS, pairs_of, repeated
from sbw.auditing.rows import AUDIT, Row, measured_row, row_of
from sbw.auditing.subjects import Subject, subjects_of
from sbw.files import column, save_table
from sbw.metrics.codes import CODE_COLUMNS
from sbw.pretrained.formats import described
from sbw.run.errors import UserError, printable
from sbw.run.outputs import whole, write_json
from sbw.verdict.recommendation import EVIDENCE, Recommendation, recommend

EVIDENCE_OF = EVIDENCE.append(column("family", pa.string(), "family of the SAEs"))
_COMPARED = 64  # rows
_UNKNOWN = "its L0 is not known: name its folder after it, as in `l0_57`, or give activations to measure it on"
_SHOWN = {
    "sae": "SAE",
    "l0": "L0",
    "by_itself": "right L0, by itself",
    "stated_l0": "stated L0",
    "c_dec_over_null": "c_dec / null",
    "coherence_pursuit": "κ by pursuit",
    "variance_explained_about_zero": "explained",
    "dead_latents": "dead",
    "dense_latents": "dense",
}
_APART = 1.5
_PAIRS = {"setting": "k", "sae_a": "seed_a", "sae_b": "seed_b"}


class Audit(NamedTuple):
    """What an audit found."""

    saes: pd.DataFrame
    """The rows of `AUDIT`: one per SAE that was read."""
    agreements: pd.DataFrame
    """The rows of `AGREEMENTS`: one per pair of SAEs of one family and setting."""
    recommendations: dict[str, Recommendation]
    """What each family recommends."""
    left_out: dict[str, str]
    """Why an SAE is in no verdict, by its name."""

    @property
    def verdicts(self) -> dict[str, dict[str, Any]]:
        """The document of each family's `Recommendation`."""
        return {family: found.document for family, found in self.recommendations.items()}

    @property
    def shown(self) -> pd.DataFrame:
        """The SAEs as a table to read, of text, with what was measured of them."""
        names = list(_SHOWN) if self.saes["rows"].notna().any() else ["sae", "l0", "c_dec_over_null"]
        table = self.saes.assign(by_itself=[_by_itself(row) for row in self.saes.to_dict("records")])
        return table[names].map(_text).rename(columns=_SHOWN)

    @property
    def notes(self) -> list[str]:
        """What to be careful about."""
        return [*self._zeros(), *self._l0s_apart()]

    def _zeros(self) -> list[str]:
        zeros = self.saes[self.saes["zero_rows"] > 0]
        each = ", ".join(f"{rows} of {sae}" for sae, rows in zip(zeros["sae"], zeros["zero_rows"], strict=True))
        return [f"Decoder rows of zeros, which c_dec leaves out: {each}."] if each else []

    def _l0s_apart(self) -> list[str]:
        both = self.saes[self.saes["rows"].notna() & self.saes["stated_l0"].notna()]
        apart = both[np.abs(np.log(both["l0"] / both["stated_l0"])) > np.log(_APART)]
        if not len(apart):
            return []
        share = f"of {len(apart)} of {len(both)} SAEs"
        question = "Are the activations of the model, hook and scale that they were trained on?"
        return [f"The measured L0 {share} differs by more than {_APART:g} times from the stated one. {question}"]

    @property
    def words(self) -> str:
        """The SAEs as a table, those left out, notes, then each family's verdicts, one sentence per line."""
        left_out = [f"{', '.join(names)}: {cause}" for cause, names in self._causes().items()]
        if left_out:
            left_out = ["", f"Left out: {len(self.left_out)}", *left_out]
        notes = [f"\n{note}" for note in self.notes]
        paragraphs = [f"\n{family}\n{found.words}" for family, found in self.recommendations.items()]
        return "\n".join([self.shown.to_string(index=False), *left_out, *notes, *paragraphs])

    def _causes(self) -> dict[str, list[str]]:
        """Why SAEs are left out, each with their names."""
        causes: dict[str, list[str]] = {}
        for name, cause in self.left_out.items():
            causes.setdefault(cause, []).append(name)
        return causes

    @property
    def document(self) -> dict[str, Any]:
        """The rows of the SAEs, the verdicts of the families and what was left out, ready for JSON."""
        rows = [{key: None if pd.isna(value) else value for key, value in row.items()}
                for row in self.saes.to_dict("records")]  # fmt: skip
        return {"saes": rows, "families": self.verdicts, "left_out": self.left_out, "notes": self.notes}

    def save(self, folder: Path | str) -> None:
        """Write saes.parquet, agreements.parquet, evidence.parquet, verdicts.json and a figure and page to a folder.

        Raises:
            OSError, UserError: a file cannot be written.
        """
        from sbw.auditing.page import save_figures, save_page  # imports matplotlib

        each = [found.evidence.assign(family=family) for family, found in self.recommendations.items()]
        evidence = pd.concat([rows for rows in each if len(rows)] or [pd.DataFrame(columns=EVIDENCE_OF.names)])
        tables = {"saes": (self.saes, AUDIT), "agreements": (self.agreements, AGREEMENTS),
                  "evidence": (evidence[EVIDENCE_OF.names], EVIDENCE_OF)}  # fmt: skip
        for name, (table, schema) in tables.items():
            with whole(Path(folder, f"{name}.parquet")) as path:
                save_table(table, schema, path)
        with whole(Path(folder, "verdicts.json")) as path:
            write_json(self.verdicts, path)
        save_figures(self.saes[~self.saes["sae"].isin(self.left_out)], self.recommendations, Path(folder))
        save_page(self, Path(folder))


def audit(
    *folders: Path | str,
    hub: Sequence[str] = (),
    activations: Path | str | None = None,
    texts: Path | str | None = None,
    model: str | None = None,
    hook: str | None = None,
    rows: int | None = None,
    seed: int = 0,
) -> Audit:
    """Measure the SAEs in some folders, and judge which L0 is right per family.

    By their decoders alone, or, with activations or texts, by all pieces of evidence (`sbw.verdict.pieces`). An SAE
    that cannot be read or measured, or has no L0, is left out of the verdicts; so are copies, and all but the last of
    several SAEs of one run, which are no seeds.

    Args:
        folders: of SAEs in any format that `sbw.pretrained.formats` knows, at any depth; with several, an SAE's name
            begins with its folder's.
        hub: shell patterns of `release/sae_id` in SAELens's directory, fetched from the Hugging Face hub.
        activations: a file or a folder of shards, as `sbw.pretrained.activations.read_activations` reads it.
        texts: a file or folder of texts, which the SAEs' model reads instead.
        model: that reads the texts: `smollm2`, a folder or a name on the hub; by default the one in the SAEs' metadata.
        hook: in TransformerLens's name, where it is read; by default likewise.
        rows: at most so many activations; by default all, or 100,000 tokens of texts.
        seed: of the draws behind the intervals.

    Raises:
        FileNotFoundError, UserError: a folder has no SAE, a pattern matches none, no SAE can be read, or the
            activations or texts cannot.
    """
    subjects = subjects_of([Path(folder) for folder in folders], hub)
    with source_of(activations, texts, model, hook, rows) as source:
        return _audited(subjects, source, seed)


@torch.no_grad()
def _audited(subjects: Sequence[Subject], source: Source | None, seed: int) -> Audit:
    rows, prints, left_out = dict[str, Row](), dict[str, torch.Tensor](), dict[str, str]()
    for one in tqdm(subjects, desc="audit", unit="SAE", disable=None):
        try:
            files = one.read()
            decoder = described(files)
            rows[one.name], prints[one.name] = row_of(one, decoder), normalize(decoder.W_dec[:_COMPARED], dim=1)
            if source:
                rows[one.name] = measured_row(rows[one.name], files, source(decoder))
        except SourceError:
            raise
        except FileNotFoundError as error:
            left_out[one.name] = printable(f"{error.filename}: not found")
        except (UserError, OSError) as error:
            left_out[one.name] = printable(str(error))
    if not rows:
        raise UserError("no SAE can be judged; " + "; ".join(f"{name}: {cause}" for name, cause in left_out.items()))
    columns = {name: row.columns for name, row in rows.items()}
    left_out |= {name: _UNKNOWN for name, row in columns.items() if row["l0"] is None and name not in left_out}
    left_out |= repeated({name: row for name, row in columns.items() if name not in left_out}, prints)
    left_out = {one.name: left_out[one.name] for one in subjects if one.name in left_out}
    saes = _table(columns)
    judged = saes[~saes["sae"].isin(left_out)]
    pairs = pairs_of(judged, {one.name: one for one in subjects})
    return Audit(saes, pairs, _recommendations(judged, rows, pairs, seed), left_out)


def _text(value: Any) -> str:
    return "" if pd.isna(value) else value if isinstance(value, str) else f"{value:.4g}"


def _by_itself(row: Mapping[Any, Any]) -> str:
    """What a measured SAE shows alone: the side of its L0, and the interval of the right one."""
    if pd.isna(row["rows"]) or row["alone"] == "inconclusive":
        return _text(row["alone"])
    return f"{row['alone']} ({row['l0'] / row['alone_high']:.3g} to {row['l0'] / row['alone_low']:.3g})"


def _table(rows: Mapping[str, dict[str, Any]]) -> pd.DataFrame:
    """The rows of `AUDIT`."""
    saes = pd.DataFrame(list(rows.values())).reindex(columns=AUDIT.names)
    pandas_kinds: dict[str, Any] = {"int64": "Int64", "double": float, "string": object}
    return saes.astype({field.name: pandas_kinds[str(field.type)] for field in AUDIT})


def _recommendations(
    saes: pd.DataFrame, rows: Mapping[str, Row], pairs: pd.DataFrame, seed: int
) -> dict[str, Recommendation]:
    """What each family recommends: by all pieces of evidence if its SAEs were measured, else by their decoders."""
    names, pairs = {"setting": "k", "sae": "seed"}, pairs.rename(columns=_PAIRS)
    found = {}
    for family, alike in saes.groupby("family"):
        of_family = pairs[pairs["family"] == family]
        if alike["rows"].isna().all():
            alike = alike.drop(columns=[field.name for field in CODE_COLUMNS])
        each = [(rows[sae].projections, sae, k) for sae, k in zip(alike["sae"], alike["setting"], strict=True)]
        parts = [of_sae.assign(k=k, seed=sae) for of_sae, sae, k in each if of_sae is not None]
        projections = pd.concat(parts) if parts else None
        found[str(family)] = recommend(alike.rename(columns=names), projections, of_family, seed=seed)
    return found
