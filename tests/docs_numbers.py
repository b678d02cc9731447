"""The numbers in README and docs that come from results; `python -m tests.docs_numbers --write` renews them.

A page has `<!-- = TEMPLATE -->text<!-- . -->`, where the text is what the template gives. Templates are those of
`str.format`: `{metrics/validation[sets][held_out][width][median_error]:.0%}` is a number in
data/metrics/validation.json, and `{report[k = 11: MCC]}` a row of the claims in plots/report.md. A line
`each SOURCE, SOURCE: ROW` gives a row for each entry of the sources side by side, as `{0[l0]} {1[f1]}`.
"""

import json
import re
import string
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def renewed(page: str) -> str:
    """The page with every marked text as the results have it."""
    return re.sub(r"(<!-- =(.*?)-->)(\s*).*?(<!-- \. -->)", _filled, page, flags=re.DOTALL)


def _filled(mark: re.Match[str]) -> str:
    opening, template, margin, closing = mark.groups()
    return opening + margin + "\n".join(map(_rows, template.strip().splitlines())) + margin + closing


def _rows(line: str) -> str:
    if not (loop := re.match(r"each ([^:]+): ", line)):
        return _Results().format(line)
    sources = [_Results().get_field(name, (), {})[0] for name in loop[1].split(", ")]
    entries = [list(source.items()) if isinstance(source, dict) else source for source in sources]
    return "\n".join(_Results().format(line[loop.end() :], *row) for row in zip(*entries, strict=True))


class _Results(string.Formatter):
    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if isinstance(key, int):
            return args[key]
        return _claims() if key == "report" else json.loads((ROOT / f"data/{key}.json").read_text())

    def format_field(self, value: Any, format_spec: str) -> str:
        return "none" if value is None else super().format_field(value, format_spec)


def _claims() -> dict[str, Any]:
    report = re.sub(r"\[([^]\n]*)\]\(#[^)\n]*\)", r"\1", (ROOT / "plots/report.md").read_text())
    rows = dict(re.findall(r"^(?=\| (.+?) \|)(.*\| (?:yes|\*\*no\*\*|not tested here.*) \|)$", report, re.MULTILINE))
    holding, failing = ([row for row in rows.values() if f"| {end} |" in row] for end in ("yes", "**no**"))
    return rows | {"claims": len(rows), "holding": len(holding), "failing": failing}


if __name__ == "__main__":
    for path in PAGES:
        if (new := renewed(path.read_text())) != path.read_text():
            print(path.relative_to(ROOT))
            if "--write" in sys.argv:
                path.write_text(new)
