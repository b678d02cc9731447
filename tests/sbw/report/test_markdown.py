"""The Markdown says what was computed, also where the paper does not hold, and nothing can break out of it."""

import re
from dataclasses import replace
from functools import reduce
from operator import getitem
from typing import Any

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

from sbw.params import Params
from sbw.report.experiment_story import sizes
from sbw.report.markdown import document, escape, table
from sbw.report.results import Results
from sbw.report.section import Table, knobs
from sbw.report.story import tell
from sbw.report.words import listed, number, ranges, spread
from tests.sbw.report.tables import PARAMS, results


def written(of: Results) -> str:
    sections = tell(of)
    links = {picture.name: f"figures/{picture.name}.svg" for section in sections for picture in section.pictures}
    return document(sections, sizes(of), links)


def section_of(markdown: str, title: str) -> str:
    return markdown.split(f"\n## {title}\n")[1].split("\n## ")[0]


def spoiled(good: Results) -> Results:
    """Too high an L0 does no harm at k = 14."""
    sweep = good.saes["sweep"].copy()
    sweep.loc[(sweep["k"] == 14) & (sweep["variant"] == "trained"), "mcc"] = 1.0
    return replace(good, saes={**good.saes, "sweep": sweep})


def without(params: Params, *names: str) -> Params:
    kept = {name: section for name, section in params.experiments.items() if name not in names}
    return params.model_copy(update={"experiments": kept})


def test_the_story_is_in_order() -> None:
    titles = [line.removeprefix("## ") for line in written(results()).splitlines() if line.startswith("## ")]
    assert titles == [
        "Set-up",
        "The right L0",
        "Too low",
        "MSE at low L0",
        "From the truth",
        "Too high",
        "The sweep",
        "The trade-off that misleads",
        "Transitions",
        "JumpReLU",
        "Five features",
        "Superposition",
        "Not in the paper",
        "Which L0, then",
        "Theory",
        "Public SAEs",
    ]


def test_where_all_holds_no_table_says_otherwise() -> None:
    text = written(results())
    count = sum(len(section.claims) for section in tell(results()))
    assert f"**{count} of {count} claims hold, 0 do not, 0 are not tested here.**" in text
    assert "not hold" not in text


def test_a_claim_that_fails_is_said_at_the_top_and_in_its_section() -> None:
    text = written(spoiled(results()))
    top, part = text.split("\n## ")[0], section_of(text, "Too high")
    assert "1 do not" in top
    assert "| [Too high](#too-high) | k = 14: MCC |" in top
    assert "**This does not hold here:** k = 14: MCC." in part
    assert "ours: 1.0000 (1.0000 to 1.0000, 2 seeds); at 11: 0.9998 (0.9996 to 1.0000, 2 seeds)" in part
    assert part.count("| **no** |") == 1


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Set-up", "On a fixed sample of 100,000, 10.9600 features are active"),
        ("The right L0", "1.0000 (seed 0) and 0.9996 (seed 1): 2 of 2 seeds recover every feature"),
        ("Too low", "At k = 9 the MCC is 0.9398 (0.9396 to 0.9400, 2 seeds) and c_dec is 0.0212"),
        ("Too low", "with 2 (2 to 2, 2 seeds) of the 49 latents"),
        ("MSE at low L0", "At k = 5 the MSE of the trained SAEs is 2.700 (2.700 to 2.700, 2 seeds), that of the true"),
        ("From the truth", "the true features, forced to it, have 4.800"),
        ("The sweep", "c_dec is least at k = 11 (0.0012)"),
        ("The sweep", "is 11 for n = 12–25."),
        ("The sweep", "| 14 | 0.9098 | 0.0312 |"),
        ("The trade-off that misleads", "at 10 of 10 values of k below 11: by 0.031 at k = 10 and by 0.310 at k = 1"),
        ("Transitions", "From k = 20 to 11 in 15,000,000 samples the MCC ends at 0.9895 (0.9890 to 0.9900, 2 seeds)"),
        ("JumpReLU", "4 of them within 1 of the true 10.95"),
        ("Five features", "from −0.100 (−0.100 to −0.100, 3 seeds) at ρ = −0.5 and k = 1.8 to 0.100"),
        ("Superposition", "With 50 features in 40 dimensions c_dec is least at k = 11 (0.0010)"),
        ("Not in the paper", "that fall by Zipf's law from"),
        ("Which L0, then", "The right L0 is about 11. c_dec falls until L0 11."),
        ("Which L0, then", "From 3 it ends at 10.80, with c_dec 0.0200. From 25 it ends at 10.80"),
        ("Theory", "clean latents lose 0.4000, a latent with a share of 0.6 of its own feature 0.1538"),
        ("Public SAEs", "739 SAEs of 16 models"),
    ],
)
def test_prose_holds_the_computed_numbers(title: str, words: str) -> None:
    assert words in section_of(written(results()), title)


def test_each_section_says_its_params() -> None:
    text = written(results())
    assert "\ntoys.main.num_features: 50\n" in section_of(text, "Set-up")
    assert "\nsweep.seeds: [0, 1]\n" in section_of(text, "The sweep")
    assert "\nexperiments.mixing_l0.ks: [1.7, 1.8, 1.9, 2]\n" in section_of(text, "Five features")


def test_params_are_yaml_of_the_values_in_the_file() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", written(results()), flags=re.DOTALL)
    said = {name: value for block in blocks for name, value in YAML(typ="safe").load(block).items()}
    assert said["collect_l0.models"] == ["*"]
    dumped = PARAMS.model_dump()
    for name, value in said.items():
        assert value == reduce(getitem, name.split("."), dumped), name


def test_the_section_of_a_missing_experiment_is_left_out() -> None:
    text = written(results(without(PARAMS, "jumprelu", "mixing_zipf")))
    assert "## JumpReLU" not in text
    assert "## Not in the paper" not in text
    assert "| JumpReLU | JumpReLU: L0 of the least c\\_dec | true L0 |" in text.split("\n## ")[0]
    assert "## Transitions" in text


@pytest.mark.parametrize("kind", ["finetune", "jumprelu", "transition", "mixing"])
def test_an_experiment_of_ones_own_has_its_figure_and_params(kind: str) -> None:
    sections = {**PARAMS.experiments, "mine": PARAMS.experiments[kind]}
    part = section_of(written(results(PARAMS.model_copy(update={"experiments": sections}))), "Not in the paper")
    assert "`mixing_zipf` and `mine`" in part
    assert "](figures/mine.svg)" in part
    assert f"\nexperiments.mine.kind: {PARAMS.experiments[kind].kind}\n" in part


def test_values_of_k_that_are_missing_are_said() -> None:
    sweep = PARAMS.sweep.model_copy(update={"cells": {"near": [10.0, 12.0]}})
    text = written(results(PARAMS.model_copy(update={"sweep": sweep})))
    for title, k in (("The right L0", 11), ("Too low", 9), ("MSE at low L0", 5), ("Too high", 18)):
        assert f"k = {k} is not in `sweep.ks`, so this is not tested here." in section_of(text, title)


def test_independent_features_are_said_to_be() -> None:
    sweep = PARAMS.sweep.model_copy(update={"toy": "five_zipf"})
    part = section_of(written(results(PARAMS.model_copy(update={"sweep": sweep}))), "Set-up")
    assert "fall by Zipf's law from 0.8234 to 0.2. They fire independently." in part


def test_a_latent_that_points_away_is_counted() -> None:
    good = results()
    cosines = good.cosines.copy()
    cosines.loc[(cosines["k"] == 11) & (cosines["seed"] == 1) & (cosines["latent"] == 2), "decoder_cosine"] = -1.0
    assert "1 of 2 seeds have one." in section_of(written(replace(good, cosines=cosines)), "The right L0")


def test_the_same_results_give_the_same_text() -> None:
    assert written(results()) == written(results())


def test_a_figure_without_a_link_is_named() -> None:
    with pytest.raises(KeyError, match="firing_probabilities"):
        document(tell(results()), sizes(results()), {})


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "a|b", "*a* _b_ `c` [d](e)", "&lt;", "back\\slash", "two\nlines"]
)
def test_text_from_outside_is_shown_as_it_is(name: str) -> None:
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(table(Table(["model", "n"], [[name, "1"]])))
    shown = " ".join(name.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert f"<td>{shown}</td>\n<td>1</td>" in html
    assert escape("plain") == "plain"


def test_numbers_have_a_minus_sign_and_no_negative_zero() -> None:
    assert [number(value, 2) for value in (-0.125, -0.001, 3)] == ["−0.12", "0.00", "3.00"]


def test_lists_and_ranges_read_well() -> None:
    assert [listed(parts) for parts in (["a"], ["a", "b"], ["a", "b", "c"], [])] == ["a", "a and b", "a, b and c", ""]
    assert ranges([1, 3, 4, 5, 9]) == "1, 3–5, 9"
    assert spread(pd.Series([0.5]), 2) == "0.50 (1 seed)"


def test_params_are_lines() -> None:
    toy: Any = PARAMS.toys["five"]
    assert knobs("toys.five", toy, ["firing", "correlation"]) == [
        "toys.five.firing: {law: linear, max: 0.4, min: 0.4}",
        "toys.five.correlation: {law: none}",
    ]
