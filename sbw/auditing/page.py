"""The figures and the page of an audit."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from sbw.auditing.figure import draw
from sbw.figures.evidence import draw as draw_evidence
from sbw.figures.style import save_figure, styled
from sbw.report.document import render
from sbw.report.page import page
from sbw.run.outputs import whole
from sbw.verdict.recommendation import Recommendation

if TYPE_CHECKING:
    from sbw.auditing.audit import Audit

TITLE = "Which of these SAEs has the right L0?"


def save_figures(saes: pd.DataFrame, recommendations: Mapping[str, Recommendation], folder: Path) -> None:
    """Write `audit`, of all families, and `evidence_1` and so on, of each that was measured, as SVG and PDF.

    Args:
        saes: rows of `AUDIT`, of the SAEs in a verdict.
        recommendations: of each family; without any there is no figure.
        folder: where to; figures of an earlier audit are removed.

    Raises:
        OSError, UserError: a file cannot be written.
    """
    for old in folder.iterdir():
        if re.fullmatch(r"(audit|evidence_\d+)\.(svg|pdf)", old.name):
            old.unlink()
    with styled(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in letters that the font lacks
        figures = {name: draw_evidence(recommendations[family].evidence)
                   for family, name in _names(recommendations).items()}  # fmt: skip
        if recommendations:
            figures["audit"] = draw(saes, {family: found.verdicts[-1] for family, found in recommendations.items()})
        for name, figure in figures.items():
            with whole(folder / f"{name}.svg") as svg, whole(folder / f"{name}.pdf") as pdf:
                save_figure(figure, svg, pdf)


def save_page(found: "Audit", folder: Path) -> None:
    """Write audit.html, which holds the figures in the folder, and needs no other file.

    Raises:
        OSError, UserError: a file cannot be read or written.
    """
    shown, rows = found.shown, found.saes["rows"]
    text = render(
        "audit.md.jinja",
        title=TITLE,
        header=list(shown.columns),
        rows=shown.to_numpy().tolist(),
        families={family: of_family.verdicts for family, of_family in found.recommendations.items()},
        evidence=_names(found.recommendations),
        left_out=found.left_out,
        notes=found.notes,
        measured=int(rows.max()) if rows.notna().any() else None,
    )
    with whole(folder / "audit.html") as path:
        html = page(text, TITLE, lambda name: (folder / name).read_text(encoding="utf-8"))
        path.write_text(html, encoding="utf-8")


def _names(recommendations: Mapping[str, Recommendation]) -> dict[str, str]:
    """The name of the evidence's figure, of each family that was measured."""
    measured = [family for family, found in recommendations.items() if len(found.evidence)]
    return {family: f"evidence_{i}" for i, family in enumerate(measured, start=1)}
