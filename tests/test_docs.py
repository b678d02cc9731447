"""README and docs show the numbers of the committed results, and what they name exists."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from ruamel.yaml import YAML

from sbw.params.toys import ToyParams
from sbw.synthesis.laws import build_toy
from tests.docs_numbers import PAGES, ROOT, renewed

README = (ROOT / "README.md").read_text()
HISTORY = ("docs/log.md", "docs/paper/report.md")  # the names of their day
MANUALS = [page for page in PAGES if str(page.relative_to(ROOT)) not in HISTORY]
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@every_page
def test_marked_numbers_are_those_of_the_results(page: Path) -> None:
    text = page.read_text()
    assert renewed(text) == text, "`python -m tests.docs_numbers --write` renews them"


def test_a_wrong_number_is_found() -> None:
    right = "an MCC of <!-- = {metrics[mcc]:.4f} -->0.9985<!-- . -->"
    row = "<!-- =\n{report[k = 11: MCC]}\n-->\n| k = 11: MCC | 1 | 0.5 | ≥ 0.95 | yes |\n<!-- . -->"
    assert renewed(right.replace("0.9985", "0.9984")) == right
    assert "| 0.9992 (0.9985 to 1.0000, 2 seeds) |" in renewed(row)


def test_a_loop_gives_a_row_for_each_entry_side_by_side() -> None:
    template = "each metrics/llm/sweep[saes], metrics/llm/probing[saes]: | {0[k]:.0f} | {1[l0]:.2f} |"
    rows = renewed(f"<!-- =\n{template}\n-->\nold\n<!-- . -->").splitlines()[3:-1]
    sweep, probing = (json.loads((ROOT / f"data/metrics/llm/{name}.json").read_text())["saes"]
                      for name in ("sweep", "probing"))  # fmt: skip
    assert rows == [f"| {one['k']:.0f} | {other['l0']:.2f} |" for one, other in zip(sweep, probing, strict=True)]


@every_page
def test_a_marker_does_not_begin_a_line_of_text(page: Path) -> None:
    # Markdown takes such a line for HTML, and shows its asterisks and links as they are.
    assert re.findall(r"^<!-- = .*-->.+", page.read_text(), re.MULTILINE) == []


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 200
    assert len(shown(ROOT / "README.md").split()) <= 2000


def shown(page: Path) -> str:
    """A page as a reader sees it, without comments."""
    return re.sub(r"<!--.*?-->", "", page.read_text(), flags=re.DOTALL)


@every_page
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, heading = unquote(link).partition("#")
        target = page if not path else page.parent / path
        if not link.startswith("http") and not (target.exists() and (not heading or heading in headings(target))):
            broken.append(link)
    assert broken == []


def headings(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def named(pattern: str) -> set[Any]:
    """What the code spans and blocks of the manuals name."""
    spans = [span for page in MANUALS for span in re.findall(r"```.*?```|`[^`\n]+`", shown(page), re.DOTALL)]
    return {name for span in spans for name in re.findall(pattern, span)}


def test_targets_of_make_that_they_name_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"repro", "test"} <= named(r"\bmake ([a-z][a-z-]+)") <= targets


def test_modules_that_they_run_exist() -> None:
    modules = named(r"python -m ((?:stages|tests|sbw)[\w.]*)")
    assert modules
    assert [module for module in modules if importlib.util.find_spec(module) is None] == []


def test_verbs_of_sbw_that_they_name_exist() -> None:
    command = [sys.executable, "-m", "sbw", "--help"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    verbs = re.findall(r"^    (\w+)", shown, re.MULTILINE)
    assert set() < named(r"(?m)(?:^`?|\s)sbw ([a-z]+)") <= set(verbs)


def test_files_of_the_source_that_they_name_exist() -> None:
    paths = named(r"(?<![\w/.])((?:sbw|stages|tests|profiles)/[\w/.-]*\w)")
    made = {path for path in paths if f">> {path}" in (ROOT / "Makefile").read_text()}
    assert paths > made
    assert [path for path in paths - made if not (ROOT / path).exists()] == []


def test_tests_that_they_name_exist() -> None:
    tests = named(r"(tests/[\w/]+\.py)::(\w+)")
    assert tests
    assert [test for path, test in tests if f"def {test}(" not in (ROOT / path).read_text()] == []


def test_the_map_has_every_room() -> None:
    rooms = [
        path.name for path in (ROOT / "sbw").iterdir() if not path.name.startswith("__") and any(path.rglob("*.py"))
    ]
    assert [room for room in rooms if f"\n  {room}/ " not in README] == []


def test_the_toy_that_they_show_can_be_made() -> None:
    (block,) = re.findall(r"```yaml\n(toys:.*?)```", (ROOT / "docs/experiments.md").read_text(), flags=re.DOTALL)
    toy = build_toy(ToyParams.model_validate(YAML(typ="safe").load(block)["toys"]["mine"]))
    assert toy.model, "one that SAELens can load"
