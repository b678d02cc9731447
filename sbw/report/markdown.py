"""The report as Markdown."""

import re
from collections.abc import Mapping, Sequence

from sbw.report.claims import FAILS, HOLDS, NOT_TESTED, Claim
from sbw.report.section import Section, Table

TITLE = "Which L0 is right?"
_PAPER = "[*Sparse but Wrong*](https://arxiv.org/abs/2508.16560) (Chanin & Garriga-Alonso, arXiv 2508.16560)"


def document(sections: Sequence[Section], sizes: Table, links: Mapping[str, str]) -> str:
    """The whole report; `links` says where the file of each figure is, seen from the report.

    Raises:
        KeyError: a figure has no link.
    """
    shown = [section for section in sections if section.shown]
    parts = [f"# {TITLE}", *_overview(sections), "Seeds and samples of each experiment:", table(sizes)]
    parts += [part for section in shown for part in _section(section, links)]
    return "\n\n".join(parts) + "\n"


def _overview(sections: Sequence[Section]) -> list[str]:
    claims = [(section, claim) for section in sections for claim in section.claims]
    holding, failing, untested = (
        [pair for pair in claims if pair[1].verdict == verdict] for verdict in (HOLDS, FAILS, NOT_TESTED)
    )
    lead = (
        f"This is what the pipeline found, beside what the paper says: {_PAPER}. Each number is computed from the "
        "tables of this run. A claim is judged by the mean over the seeds, unless it is about each of them. In "
        "brackets: the least and the greatest, and how many seeds."
    )
    counts = (
        f"**{len(holding)} of {len(claims)} claims hold, {len(failing)} do not, {len(untested)} are not tested here.**"
    )
    parts = [lead, counts]
    if failing:
        header = ["section", "claim", "paper", "ours", "tolerance"]
        rows = [[f"[{escape(of.title)}](#{slug(of.title)})", *_cells(claim, of)] for of, claim in failing]
        parts += ["These do not hold:", table(Table(header, rows), escaped=True)]
    if untested:
        rows = [[escape(of.title), escape(claim.what), escape(claim.paper)] for of, claim in untested]
        parts += [
            "These are not tested by the params:",
            table(Table(["section", "claim", "paper"], rows), escaped=True),
        ]
    return parts


def _section(section: Section, links: Mapping[str, str]) -> list[str]:
    parts = [f"## {section.title}", *section.prose, *_failures(section.claims)]
    parts += [f"![{escape(picture.alt)}]({links[picture.name]})" for picture in section.pictures]
    parts += [table(rows) for rows in section.tables]
    if section.claims:
        rows = [[*_cells(claim, section), claim.verdict] for claim in section.claims]
        parts.append(table(Table(["claim", "paper", "ours", "tolerance", "holds"], rows), escaped=True))
    if section.params:
        parts += [f"### {_params_title(section)}", "```yaml\n" + "\n".join(section.params) + "\n```"]
    return parts


def _params_title(section: Section) -> str:
    return f"Params of {section.title}"


def slug(title: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\s-]", "", title.lower()).replace(" ", "-")


def _failures(claims: Sequence[Claim]) -> list[str]:
    return [
        f"**This does not hold here:** {escape(claim.what)}. The paper: {escape(claim.paper or 'nothing')}; ours: "
        f"{escape(claim.ours)}; tolerance: {escape(claim.tolerance)}."
        for claim in claims
        if claim.verdict == FAILS
    ]


def _cells(claim: Claim, section: Section) -> list[str]:
    what, paper, ours, tolerance = (escape(cell) for cell in (claim.what, claim.paper, claim.ours, claim.tolerance))
    linked = f"[{ours}](#{slug(_params_title(section))})" if section.params and ours else ours
    return [what, paper, linked, tolerance]


def table(rows: Table, *, escaped: bool = False) -> str:
    """A table; its cells are plain text, unless they are `escaped` already."""
    lines = [list(rows.header), ["---"] * len(rows.header)]
    lines += [list(row) if escaped else [escape(cell) for cell in row] for row in rows.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escape(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no HTML, no end of a table's cell."""
    return re.sub(r"([\\`*_\[\]<>|&~#])", r"\\\1", " ".join(text.split()))
