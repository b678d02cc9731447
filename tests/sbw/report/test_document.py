"""The Markdown has the computed numbers, also where a claim does not hold, and text from outside is escaped."""

import re
from dataclasses import replace
from functools import reduce
from operator import getitem

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

from sbw.params import Params
from sbw.report.claims import all_claims
from sbw.report.document import document, escape, table
from sbw.report.numbers import yaml_lines
from sbw.report.results import Results
from sbw.report.words import fixed, listed, ranges, spread
from tests.sbw.report.tables import PARAMS, results


@pytest.fixture(scope="module")
def text() -> str:
    return document(results())


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


def test_the_story_is_in_order(text: str) -> None:
    titles = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert titles == [*list(all_claims(results()))[:-1], "Theory", "Public SAEs"]


def test_where_all_holds_no_table_says_otherwise(text: str) -> None:
    count = sum(map(len, all_claims(results()).values()))
    assert f"**{count} of {count} claims hold, 0 do not, 0 are not tested here.**" in text
    assert "not hold" not in text


def test_a_claim_that_fails_is_at_the_top_and_in_its_section() -> None:
    text = document(spoiled(results()))
    top, part = text.split("\n## ")[0], section_of(text, "Too high")
    assert "1 do not" in top
    assert "| [Too high](#too-high) | k = 14: MCC |" in top
    assert "**This does not hold here:** k = 14: MCC." in part
    assert "ours: 1.0000 (1.0000 to 1.0000, 2 seeds); at 11: 0.9998 (0.9996 to 1.0000, 2 seeds)" in part
    assert part.count("| **no** |") == 1


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Set-up", "active features per sample: 10.9600 on a fixed sample of 100,000."),
        ("The right L0", "1.0000 (seed 0) and 0.9996 (seed 1): 2 of 2 seeds recover every feature"),
        ("Too low", "At k = 9 the MCC is 0.9398 (0.9396 to 0.9400, 2 seeds) and c_dec is 0.0212"),
        ("Too low", "with 2 (2 to 2, 2 seeds) of the 49 latents"),
        ("MSE at low L0", "At k = 5 the MSE of the trained SAEs is 2.700 (2.700 to 2.700, 2 seeds), that of the true"),
        ("From the truth", "the true features at the same k have 4.800"),
        ("The sweep", "c_dec has its minimum at k = 11 (0.0012)"),
        ("The sweep", "is 11 for n = 12–25."),
        ("The sweep", "| 14 | 0.9098 | 0.0312 |"),
        ("The trade-off that misleads", "at 10 of 10 values of k below 11: by 0.031 at k = 10, the minimum, to 0.310"),
        ("Transitions", "From k = 20 to 11 in 15,000,000 samples the MCC ends at 0.9895 (0.9890 to 0.9900, 2 seeds)"),
        ("JumpReLU", "4 of them within 1 of the true 10.95"),
        ("Five features", "from −0.100 (−0.100 to −0.100, 3 seeds) at ρ = −0.5 and k = 1.8 to 0.100"),
        ("Superposition", "With 50 features in 40 dimensions c_dec has its minimum at k = 11 (0.0010)"),
        ("Not in the paper", "that fall by Zipf's law from"),
        ("Which L0, then", "The right L0 is about 11."),
        ("Which L0, then", "with an interval from bootstrap draws of the seeds: c\\_dec has its minimum at L0 11."),
        ("Which L0, then", "From 3 it ends at 10.80, with coherence 0.0200. From 25 it ends at 10.80"),
        ("Theory", "clean latents lose 0.4000, a latent with a share of 0.6 of its own feature 0.1538"),
        ("Public SAEs", "739 SAEs of 16 models"),
    ],
)
def test_prose_holds_the_computed_numbers(text: str, title: str, words: str) -> None:
    assert words in section_of(text, title)


def test_params_are_yaml_of_the_values_in_the_file() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", document(results()), flags=re.DOTALL)
    shown = {name: value for block in blocks for name, value in YAML(typ="safe").load(block).items()}
    assert {"toys.main.num_features", "sweep.seeds", "experiments.mixing_l0.ks", "collect_l0.models"} <= {*shown}
    dumped = PARAMS.model_dump()
    for name, value in shown.items():
        assert value == reduce(getitem, name.split("."), dumped), name


def test_the_section_of_a_missing_experiment_is_left_out() -> None:
    text = document(results(without(PARAMS, "jumprelu", "mixing_zipf")))
    assert "## JumpReLU" not in text
    assert "## Not in the paper" not in text
    assert "JumpReLU: coefficients that end within 1 | experiments.jumprelu is missing |" in text.split("\n## ")[0]
    assert "## Transitions" in text


@pytest.mark.parametrize("kind", ["finetune", "jumprelu", "transition", "mixing"])
def test_an_experiment_of_ones_own_has_its_figure_and_params(kind: str) -> None:
    sections = {**PARAMS.experiments, "mine": PARAMS.experiments[kind]}
    part = section_of(document(results(PARAMS.model_copy(update={"experiments": sections}))), "Not in the paper")
    assert "`mixing_zipf` and `mine`" in part
    assert "](experiments/mine.svg)" in part
    assert f"\nexperiments.mine.kind: {PARAMS.experiments[kind].kind}\n" in part


def test_values_of_k_that_are_missing_are_named() -> None:
    sweep = PARAMS.sweep.model_copy(update={"cells": {"near": [10.0, 12.0]}})
    text = document(results(PARAMS.model_copy(update={"sweep": sweep})))
    for title, k in (("The right L0", 11), ("Too low", 9), ("MSE at low L0", 5), ("Too high", 18)):
        assert f"not tested here: sweep.cells has no {k} |" in section_of(text, title)


def test_runs_of_n_are_listed() -> None:
    late = results().projections
    late.loc[(late["n"] == 24) & (late["k"] == 17), "s_n"] = -2
    text = section_of(document(replace(results(), projections=late)), "The sweep")
    assert "over k is 11 for n = 12–23, 17 for n = 24 and 11 for n = 25." in text


def test_independent_features_are_named_so() -> None:
    sweep = PARAMS.sweep.model_copy(update={"toy": "five_zipf"})
    part = section_of(document(results(PARAMS.model_copy(update={"sweep": sweep}))), "Set-up")
    assert "fall by Zipf's law from 0.8234 to 0.2. They fire independently." in part


def test_a_latent_that_points_away_is_counted() -> None:
    good = results()
    cosines = good.cosines.copy()
    cosines.loc[(cosines["k"] == 11) & (cosines["seed"] == 1) & (cosines["latent"] == 2), "decoder_cosine"] = -1.0
    assert "1 of 2 seeds have one." in section_of(document(replace(good, cosines=cosines)), "The right L0")


def test_the_same_results_give_the_same_text(text: str) -> None:
    assert document(results()) == text


def test_what_is_not_tested_is_listed_at_the_top_with_the_reason() -> None:
    params = PARAMS.model_copy(update={"sweep": PARAMS.sweep.model_copy(update={"toy": "superposed"})})
    text = document(results(params))
    reason = "sweep.toy is superposed: its d\\_in is 40, not 100"
    assert (
        f"| [Too high](#too-high) | k = 14: MSE; k = 14: MCC; k = 18: MSE; k = 18: MCC | {reason} |"
        in text.split("\n## ")[0]
    )
    assert section_of(text, "Too high").count(f"| not tested here: {reason} |") == 4
    assert "not hold" not in text


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "a|b", "*a* _b_ `c` [d](e)", "&lt;", "back\\slash", "two\nlines"]
)
def test_text_from_outside_is_shown_as_it_is(name: str) -> None:
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(table(["model", "n"], [[name, "1"]]))
    shown = " ".join(name.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert f"<td>{shown}</td>\n<td>1</td>" in html
    assert escape("plain") == "plain"


def test_numbers_have_a_minus_sign_and_no_negative_zero() -> None:
    assert [fixed(value, 2) for value in (-0.125, -0.001, 3)] == ["−0.12", "0.00", "3.00"]


def test_lists_and_ranges_read_well() -> None:
    assert [listed(parts) for parts in (["a"], ["a", "b"], ["a", "b", "c"], [])] == ["a", "a and b", "a, b and c", ""]
    assert ranges([1, 3, 4, 5, 9]) == "1, 3–5, 9"
    assert spread(pd.Series([0.5]), 2) == "0.50 (1 seed)"


def test_params_are_lines() -> None:
    assert yaml_lines(PARAMS, ["toys.five", "training.lr"])[4:] == [
        "toys.five.firing: {law: linear, max: 0.4, min: 0.4}",
        "toys.five.magnitude: {law: constant, std: 0.15, mean: 1}",
        "toys.five.correlation: {law: none}",
        "toys.five.hierarchy: null",
        "toys.five.noise: null",
        "training.lr: 0.0003",
    ]
