"""The figure and the page of an audit."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from sbw.auditing.figure import draw
from sbw.figures.evidence import draw as draw_evidence
from sbw.figures.style import save_figure, styled
from sbw.report.document import render
from sbw.report.page import page
from sbw.run.outputs import whole
from sbw.verdict.recommendation import Recommendation

TITLE = "Which of these SAEs has the right L0?"


def save_page(
    saes: pd.DataFrame,
    shown: pd.DataFrame,
    recommendations: Mapping[str, Recommendation],
    left_out: Mapping[str, str],
    folder: Path,
) -> None:
    """Write the figures, as SVG and PDF, and the self-contained audit.html, which shows them.

    `audit` is of all families; `evidence_1` and so on are of one each, where it was measured.

    Args:
        saes: rows of `AUDIT`.
        shown: the same as a table to read.
        recommendations: of each family; without any there is no figure.
        left_out: why an SAE is in no verdict.
        folder: where to.

    Raises:
        OSError: a file cannot be written.
    """
    verdicts = {family: found.verdicts[-1] for family, found in recommendations.items()}
    measured = {family: found.evidence for family, found in recommendations.items() if len(found.evidence)}
    evidence = {family: f"evidence_{i}" for i, family in enumerate(measured, start=1)}
    with styled():
        figures = {evidence[family]: draw_evidence(of_family) for family, of_family in measured.items()}
        if recommendations:
            figures["audit"] = draw(saes, verdicts)
        for name, figure in figures.items():
            with whole(folder / f"{name}.svg") as svg, whole(folder / f"{name}.pdf") as pdf:
                save_figure(figure, svg, pdf)
    cells = [["" if pd.isna(cell) else cell if isinstance(cell, str) else f"{cell:.4g}" for cell in row]
             for row in shown.itertuples(index=False)]  # fmt: skip
    text = render(
        "audit.md.jinja",
        title=TITLE,
        header=list(shown.columns),
        rows=cells,
        families={family: found.verdicts for family, found in recommendations.items()},
        evidence=evidence,
        left_out=left_out,
        measured=int(saes["rows"].max()) if saes["rows"].notna().any() else None,
    )
    with whole(folder / "audit.html") as path:
        path.write_text(page(text, TITLE, lambda name: (folder / name).read_text(encoding="utf-8")), encoding="utf-8")
