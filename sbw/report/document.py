"""The report as Markdown: `templates/report.md.jinja`, filled from the numbers and the claims."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sbw.report import words
from sbw.report.claim import Claim
from sbw.report.claims import all_claims
from sbw.report.numbers import numbers
from sbw.report.results import Results

TITLE = "Which L0 is right?"
_VERDICTS = {True: Markup("yes"), False: Markup("**no**"), None: Markup("not tested here")}


def document(results: Results) -> str:
    """The whole report. Its figures are links, seen from the folder `plots`."""
    return render("report.md.jinja", title=TITLE, claims=all_claims(results), **numbers(results))


def render(template: str, **values: Any) -> str:
    """A template of Markdown with values, which it escapes; a paragraph is one line."""
    text = _without_dead_links(_environment().get_template(template).render(**values))
    blocks = [block.strip("\n") for block in re.split(r"\n\s*\n", text) if block.strip()]
    return (
        "\n\n".join(block if block.startswith(("|", "```", "- ")) else " ".join(block.split()) for block in blocks)
        + "\n"
    )


def _without_dead_links(text: str) -> str:
    anchors = {slug(heading) for heading in re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)}
    link = r"\[((?:\\.|[^\]\\])*)\]\(#([^)]*)\)"
    return re.sub(link, lambda found: found[0] if found[2] in anchors else found[1], text)


def figure(name: str, alt: str) -> Markup:
    """The link of a figure, `FAMILY/NAME`, with what it shows for those who do not see it."""
    return Markup(f"\n\n![{escape(alt)}]({name}.svg)\n\n")


def escape(value: Any) -> Markup:
    """A value that Markdown shows as it is: no markup, no HTML, no end of a table's cell."""
    if isinstance(value, Markup):
        return value
    return Markup(re.sub(r"([\\`*_\[\]<>|&~#])", r"\\\1", re.sub(r"\s+", " ", str(value))))


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Markup:
    """A table of Markdown from its cells."""
    lines = [header, [Markup("---")] * len(header), *rows]
    return Markup("\n\n" + "\n".join(f"| {' | '.join(map(escape, line))} |" for line in lines) + "\n\n")


def slug(title: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\s-]", "", title.lower()).replace(" ", "-")


def claims_table(claims: Sequence[Claim], title: str) -> Markup:
    """The claims of a section; our numbers lead to its params."""
    rows = [[*_cells(claim, title), _verdict(claim)] for claim in claims]
    return table(["claim", "paper", "ours", "tolerance", "holds"], rows)


def failing_table(claims: Mapping[str, Sequence[Claim]]) -> Markup:
    """The claims of all sections that do not hold."""
    rows = [
        [_link(title), *_cells(claim, title)]
        for title, of_section in claims.items()
        for claim in of_section
        if claim.holds is False
    ]
    return table(["section", "claim", "paper", "ours", "tolerance"], rows)


def untested_table(claims: Mapping[str, Sequence[Claim]]) -> Markup:
    """Those that are not tested, one row per section and reason."""
    rows = [
        [_link(title), "; ".join(claim.what for claim in of_reason), reason]
        for title, of_section in claims.items()
        for reason, of_reason in groupby(of_section, key=lambda claim: claim.reason)
        if reason
    ]
    return table(["section", "claims", "why not"], rows)


def _link(title: str) -> Markup:
    return Markup(f"[{escape(title)}](#{slug(title)})")


def _cells(claim: Claim, title: str) -> list[Any]:
    ours = Markup(f"[{escape(claim.ours)}](#{slug(f'Params of {title}')})") if claim.ours else claim.ours
    return [claim.what, claim.paper, ours, claim.tolerance]


def _verdict(claim: Claim) -> Markup:
    return _VERDICTS[claim.holds] + (Markup(": ") + escape(claim.reason) if claim.reason else "")


def _per_seed(rows: pd.DataFrame, column: str, digits: int) -> str:
    return words.listed(
        f"{words.fixed(value, digits)} (seed {seed:.0f})"
        for value, seed in zip(rows[column], rows["seed"], strict=True)
    )


def _environment() -> Environment:
    # Whatever a template shows is escaped for Markdown, unless it is marked as Markdown already.
    environment = Environment(
        loader=PackageLoader("sbw.report"),
        autoescape=True,
        finalize=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (words.fixed, words.short, words.count, words.spread, words.share, words.ranges)
    environment.filters |= {function.__name__: function for function in filters} | {
        "per_seed": _per_seed,
        "code": lambda name: Markup(f"`{name}`"),  # names of toys and experiments are identifiers
        "raw": Markup,
        "under": lambda names, section: [f"{section}.{name}" for name in names],
    }
    functions = (figure, table, claims_table, failing_table, untested_table)
    environment.globals |= {function.__name__: function for function in functions}
    return environment
