"""The page of plots works as a reader uses it: without a network, and with its slider, selectors and switches."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.browser import asked, needs_chromium
from tests.conftest import ROOT, Clone

MARKS = """
const marks = words => chart(words).querySelectorAll(".role-mark path, .role-mark line").length;
const chart = words => [...document.querySelectorAll(".vega-embed")].find(chart => chart.textContent.includes(words));
const drawn = chart => [...chart.querySelectorAll(".role-mark path")].map(path => path.getAttribute("d")).join(" ");
const set = async (input, value) => {
  if (input.type === "checkbox") input.checked = value; else input.value = value;
  for (const name of ["input", "change"]) input.dispatchEvent(new Event(name, {bubbles: true}));
  if (input.type === "checkbox") input.dispatchEvent(new Event("click", {bubbles: true}));
  await settled();
};
"""
CHARTS = [
    "Cosines of the latents",
    "Pairwise cosines and MCC against L0",
    "Decoder projection s_n against L0",
    "Variance explained against L0",
    "Mixing of five features",
    "L0 of public SAEs",
    "Training loss",
    "Active latents a sample",
]


def page_of(clone: Clone) -> Path:
    clone.dvc("plots", "show", "--out", "page")
    return clone.root / "page/index.html"


@pytest.fixture(scope="module")
def page(undisturbed: Clone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page_of(undisturbed.copy(tmp_path_factory.mktemp("page") / "sbw"))


def test_a_fresh_clone_shows_the_plots_that_git_has(fresh: Clone) -> None:
    shutil.copytree(ROOT / "plots", fresh.root / "plots", ignore=shutil.ignore_patterns("vega.js"), dirs_exist_ok=True)
    assert ".svg" in page_of(fresh).read_text()


def test_it_has_the_figures_and_the_training_curve(page: Path) -> None:
    shown, root = page.read_text(), page.parents[1]
    figures = [path.stem for path in (root / "plots").rglob("*.svg")]
    assert len(figures) == 16 + 4
    for figure in figures:
        assert f"{figure}.svg" in shown
    assert "Training loss" in shown
    scripts = [page.parent / path for path in re.findall(r'^<script src="([^"]+)"', shown, re.MULTILINE)]
    assert ["window.vegaEmbed=" in script.read_text() for script in scripts] == [True], "no network is needed"
    assert '"step": "64"' in shown or '"step": 64' in shown


@needs_chromium
def test_every_chart_has_marks_and_nothing_is_fetched(page: Path) -> None:
    counts, fetched = asked(page, f"{MARKS} return {json.dumps(CHARTS)}.map(marks);")
    assert all(count > 0 for count in counts), dict(zip(CHARTS, counts, strict=True))
    assert not [address for address in fetched if not address.startswith(("file:", "data:"))]


@needs_chromium
def test_the_slider_hides_small_cosines(page: Path) -> None:
    script = """
    const cells = () => chart("Cosines of the latents").querySelectorAll(".mark-rect.role-mark path").length;
    const all = cells();
    await set(chart("Cosines of the latents").querySelector("input[type=range]"), 0.5);
    return [all, cells()];
    """
    (every, few), _ = asked(page, MARKS + script)
    assert every == 2 * 50 * 50
    assert 0 < few < every / 10


@needs_chromium
def test_the_selectors_change_the_picture(page: Path) -> None:
    script = """
    const s_n = chart("Decoder projection s_n"), before = drawn(s_n);
    await set(s_n.querySelector("select"), "12");
    const publics = chart("models with"), all = drawn(publics);
    await set(publics.querySelector("input[type=text]"), "gpt2");
    const gpt2 = drawn(publics);
    await set(publics.querySelector("input[type=checkbox]"), false);
    return [before !== drawn(s_n), all.length, gpt2.length, gpt2 !== drawn(publics)];
    """
    (moved, every, few, switched), _ = asked(page, MARKS + script)
    assert moved
    assert few < every / 3
    assert switched


@needs_chromium
def test_two_revisions_are_distinct(at_nine: tuple[Clone, str]) -> None:
    clone, _ = at_nine
    clone.dvc("plots", "diff", "HEAD", "nine", "--out", "page")
    script = """
    return [chart("Cosines of the latents").querySelectorAll(".mark-rect.role-mark path").length,
            [...chart("Training loss").querySelectorAll(".role-legend text")].map(text => text.textContent),
            [...chart("models with").querySelectorAll(".role-mark path")].map(path => path.getAttribute("d"))];
    """
    (cells, legend, bars), _ = asked(clone.root / "page/index.html", MARKS + script)
    assert cells == 2 * 2 * 50 * 50
    assert any("nine" in text for text in legend)
    assert any(text == "HEAD" for text in legend)
    assert all(bars.count(bar) % 2 == 0 for bar in bars), "equal bars, none stacked"


def test_templates_are_drawn_from_the_series(undisturbed: Clone) -> None:
    """Every field that a template names is a column of its series."""
    plots: list[dict[str, Any]] = YAML(typ="safe").load(undisturbed.root / "dvc.yaml")["plots"]
    for plot in plots:
        ((_, what),) = plot.items()
        ((path, y),) = what["y"].items()
        template = json.loads((undisturbed.root / f".dvc/plots/{what['template']}.json").read_text())
        columns = (undisturbed.root / path).read_text().splitlines()[0].split(",")
        assert y in columns
        assert what["x"] in columns
        if what["template"] != "curve":
            assert set(template["data"]["format"]["parse"]) <= set(columns), path
