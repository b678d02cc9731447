"""The README says what the committed results say."""

import re

from tests.conftest import ROOT

README, REPORT = ((ROOT / name).read_text() for name in ("README.md", "plots/report.md"))
CLAIMS = "| claim | paper | ours | tolerance | holds |"


def test_every_claim_of_the_report_stands_in_the_readme_as_it_does_there() -> None:
    tables = re.findall(rf"{re.escape(CLAIMS)}\n.*?\n((?:\|.*\n)+)", REPORT)
    rows = [row.replace("](#", "](plots/report.md#") for table in tables for row in table.splitlines()]
    start = README.index(CLAIMS)
    assert README[start:].split("\n\n")[0].splitlines()[2:] == rows


def test_figures_and_files_that_the_readme_names_are_there() -> None:
    linked = re.findall(r"\]\(([^)#:]+)\)", README)
    assert linked
    assert [path for path in linked if not (ROOT / path).exists()] == []
