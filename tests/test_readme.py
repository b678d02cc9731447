"""The README says what the committed results say."""

import json
import re
from typing import Any

from ruamel.yaml import YAML

from sbw.params.toys import ToyParams
from sbw.synthesis.laws import build_toy
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


def test_the_sweep_of_the_language_model_is_told_as_it_came_out() -> None:
    verdict, sweep, probing = (metrics(f"llm/{name}") for name in ("recommendation", "sweep", "probing"))
    assert f"**{verdict['l0']:.3g} ({verdict['low']:.3g} to {verdict['high']:.3g})**" in README
    rows = [
        f"| {sae['l0']:.3g} | {sae['c_dec_over_null']:.3f} | {sae['variance_explained_about_mean']:.3f} "
        f"| {sae['ce_loss_score']:.3f} | {sae['dense_latents']:.0f} | {sae['agreement']:.2f} "
        f"| {probed['latents_1']['f1'][0]:.3f} | {probed['latents_16']['f1'][0]:.3f} |"
        for sae, probed in zip(sweep["saes"], probing["saes"], strict=True)
    ]
    assert "\n".join(rows) in README
    told = {
        latents: [sae["l0"] for sae in probing["saes"] if behind(sae[latents]["f1_behind_and_margin"])]
        for latents in ("latents_1", "latents_16")
    }
    assert told == {"latents_1": [4.95, 7.86], "latents_16": [4.95]}, "the README says which can be told from the best"


def behind(pair: list[float]) -> bool:
    return pair[0] > pair[1]


def test_the_validation_is_told_as_it_came_out() -> None:
    shown = {
        "combined": "recommendation",
        "c_dec": "c_dec",
        "width": "width",
        "stability": "agreement",
        "mcc": "MCC",
        "knee": "knee",
    }
    held_out = metrics("validation")["sets"]["held_out"]
    for method, name in shown.items():
        (row,) = re.findall(rf"^\| [^|]*{name}[^|]*\| (\d+)% \| (\d+)% \|", README, flags=re.MULTILINE)
        errors = held_out[method]["median_error"], held_out[method]["worst_error"]
        assert list(row) == [f"{100 * error:.0f}" for error in errors], method


def test_the_awkward_toys_are_told_as_they_came_out() -> None:
    document = metrics("awkward")
    rows = [
        f"| `{name}` | {toy['d_sae']} | {toy['true_l0']:.3g} | **{named(toy['combined'], interval=True)}** | "
        + " | ".join(named(toy[method]) for method in ("c_dec", "width", "stability", "s_n", "mcc"))
        for name, toy in document["toys"].items()
    ]
    start = README.index("| toy | latents |")
    table = README[start:].split("\n\n")[0].splitlines()[2:]
    assert [row.rsplit(" | ", 1)[0] for row in table] == rows
    scores = document["sets"]["awkward"]
    told = [f"{100 * scores[method]['median_error']:.0f} %" for method in ("combined", "s_n", "mcc", "knee")]
    assert (
        f"median error is {told[0]}; that of s_n alone is {told[1]}, of MCC {told[2]}, of the knee {told[3]}" in README
    )


def named(method: dict[str, float], interval: bool = False) -> str:
    if method["l0"] is None:
        return "none"
    return f"{method['l0']:.3g}" + (f" ({method['low']:.3g} to {method['high']:.3g})" if interval else "")


def test_the_toy_that_it_shows_can_be_made() -> None:
    (block,) = re.findall(r"```yaml\n(toys:.*?)```", README, flags=re.DOTALL)
    document = YAML(typ="safe").load(block)["toys"]["mine"]
    toy = build_toy(ToyParams.model_validate(document))
    assert toy.model, "one that SAELens can load"


def test_nothing_in_the_documents_waits_to_be_filled_in() -> None:
    for name in ("README.md", "LOG.md"):
        assert not re.search(r"@[A-Z]+@", (ROOT / name).read_text()), name


def metrics(name: str) -> dict[str, Any]:
    return json.loads((ROOT / f"data/metrics/{name}.json").read_text())
