"""The numbers in README and docs that come from results; `python -m tests.docs_numbers --write` renews them.

A page has `<!-- = TEMPLATE -->text<!-- . -->`, where the text is what the template gives. Templates are those of
`str.format`: `{metrics/validation[sets][held_out][width][median_error]:.0%}` is a number in
data/metrics/validation.json, and `{report[k = 11: MCC]}` a row of the claims in plots/report.md. A line
`each SOURCE, SOURCE: ROW` gives a row for each entry of the sources side by side, as `{0[l0]} {1[f1]}`.
"""

import functools
import json
import re
import string
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_MARKED = re.compile(r"(<!-- =(.*?)-->)(.*?)(<!-- \. -->)", re.DOTALL)
_CLAIM = re.compile(r"^\| (.+?) \| .* \| (yes|\*\*no\*\*|not tested here.*) \|$", re.MULTILINE)


class Sources(string.Formatter):
    """Fills templates from the results; what is null there is `none`."""

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        return args[key] if isinstance(key, int) else _source(key)

    def format_field(self, value: Any, format_spec: str) -> str:
        return "none" if value is None else super().format_field(value, format_spec)


@functools.cache
def _source(name: str) -> Any:
    if name == "report":
        return _claims((ROOT / "plots/report.md").read_text())
    return json.loads((ROOT / f"data/{name}.json").read_text())


def _claims(report: str) -> dict[str, Any]:
    rows = {match[1]: (match[0], match[2]) for match in _CLAIM.finditer(report)}
    holding = sum(holds == "yes" for _, holds in rows.values())
    links = re.compile(r"\[([^]]*)\]\(#[^)]*\)")
    return {claim: links.sub(r"\1", row) for claim, (row, _) in rows.items()} | {
        "claims": len(rows),
        "holding": holding,
    }


def renewed(page: str) -> str:
    """The page with every marked text as the results have it."""
    return _MARKED.sub(lambda match: match[1] + _filled(match[2], match[3]) + match[4], page)


def _filled(template: str, text: str) -> str:
    lines = [line for row in template.strip().splitlines() for line in _rows(row)]
    margin = text[: len(text) - len(text.lstrip())]  # a table stands on lines of its own, a number within one
    return margin + "\n".join(lines) + margin


def _rows(line: str) -> list[str]:
    if not (loop := re.match(r"each (.+?): (?=\|)", line)):
        return [Sources().format(line)]
    sources = [Sources().get_field(name, (), {})[0] for name in loop[1].split(", ")]
    lists = [list(source.items()) if isinstance(source, dict) else source for source in sources]
    return [Sources().format(line[loop.end() :], *entries) for entries in zip(*lists, strict=True)]


if __name__ == "__main__":
    for path in PAGES:
        page = path.read_text()
        if renewed(page) != page:
            print(path.relative_to(ROOT))
            if "--write" in sys.argv:
                path.write_text(renewed(page))
