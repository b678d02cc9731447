"""The pipeline that tests the recommendation on known toys runs, and reruns what a change concerns."""

import json
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.conftest import Clone, stages_run
from tests.pipeline.test_bad_input import refusal

PIPELINE = "stages/validation/dvc.yaml"


def set_params(clone: Clone, change: Any) -> None:
    path, yaml = (clone.root / PIPELINE).with_name("params.yaml"), YAML()
    document = yaml.load(path)
    change(document)
    yaml.dump(document, path)


def shorten(document: Any) -> None:
    """Two toys like the paper's, one of a hierarchy, and the same with fewer latents."""
    small, trees = document["toys"]["f20_d16_l3_linear_strong"], document["toys"]["real"]
    trees |= {"num_features": 24, "d_in": 12, "orthogonalization_steps": 5}
    trees["hierarchy"]["total_root_nodes"] = 4
    toys = {"a": {**small, "set": "development"}, "b": small, "trees": trees, "trees_half": trees | {"d_sae": 12}}
    document["toys"] = toys
    for section in document["sets"].values():
        section["training"].update(samples=40_960, batch_size=256)
        section["sweep"].update(l0s=4, most=10.0)
    document["synthesize"].update(eval_samples=500)


def test_it_runs_and_reruns_what_a_change_concerns(fresh: Clone) -> None:
    set_params(fresh, shorten)
    fresh.add_pipeline(PIPELINE)
    names = [*(f"measure@{toy}" for toy in ("a", "b", "trees", "trees_half")), "score"]
    assert {f"{PIPELINE}:{name}" for name in names} <= stages_run(fresh.dvc("repro", PIPELINE))
    document = json.loads((fresh.root / "data/metrics/validation.json").read_text())
    toys = {name: methods["combined"]["toys"] for name, methods in document["sets"].items()}
    assert toys == {"development": 1, "held_out": 1, "awkward": 2}
    trees = [document["toys"][name] for name in ("trees", "trees_half")]
    assert [(toy["num_features"], toy["d_sae"]) for toy in trees] == [(24, 24), (24, 12)]
    assert trees[0]["true_l0"] == trees[1]["true_l0"]
    assert stages_run(fresh.dvc("repro", PIPELINE)) == set()

    set_params(fresh, lambda document: document["toys"]["b"].update(seed=5))
    measured = {name for name in stages_run(fresh.dvc("repro", PIPELINE)) if ":measure@" in name}
    assert measured == {f"{PIPELINE}:measure@b"}
    set_params(fresh, lambda document: document["sets"]["awkward"]["training"].update(lr=1e-3))
    measured = {name for name in stages_run(fresh.dvc("repro", PIPELINE)) if ":measure@" in name}
    assert measured == {f"{PIPELINE}:measure@trees", f"{PIPELINE}:measure@trees_half"}


@pytest.mark.parametrize(
    ("toy", "values", "message"),
    [
        (
            "f20_d16_l3_linear_strong",
            {"set": "tried"},
            ".set` must be one of: development, held_out, awkward, got 'tried'",
        ),
        (
            "zipf_half",
            {"d_sae": 40},
            "`sets.awkward.sweep.most` must be at most the 40 latents of",
        ),
    ],
)
def test_an_impossible_toy_is_refused_by_name(
    fresh: Clone, toy: str, values: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_params(fresh, lambda document: document["toys"][toy].update(values))
    assert message in refusal(fresh, ["validation.measure", toy], monkeypatch)
