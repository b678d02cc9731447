"""The pipelines that try the recommendation on known toys run, and rerun what a change concerns."""

import json
from typing import Any

from ruamel.yaml import YAML

from tests.conftest import Clone, stages_run

PIPELINE, AWKWARD = "stages/validation/dvc.yaml", "stages/awkward/dvc.yaml"


def set_params(clone: Clone, change: Any, pipeline: str = PIPELINE) -> None:
    path, yaml = (clone.root / pipeline).with_name("params.yaml"), YAML()
    document = yaml.load(path)
    change(document)
    yaml.dump(document, path)


def shorten(document: Any) -> None:
    small = document["toys"]["f20_d16_l3_linear_strong"]
    document["toys"] = {"a": {**small, "set": "development"}, "b": small}
    document["training"].update(samples=40_960, batch_size=256)
    document["sweep"].update(l0s=4)
    document["synthesize"].update(eval_samples=500)


def test_it_runs_and_reruns_what_a_change_concerns(fresh: Clone) -> None:
    set_params(fresh, shorten)
    fresh.add_pipeline(PIPELINE)
    assert stages_run(fresh.dvc("repro", PIPELINE)) == {
        f"{PIPELINE}:{name}" for name in ("measure@a", "measure@b", "score", "figures")
    }
    scores = json.loads((fresh.root / "data/metrics/validation.json").read_text())["sets"]
    assert {name: methods["combined"]["toys"] for name, methods in scores.items()} == {"development": 1, "held_out": 1}
    assert (fresh.root / "plots/validation/known_toys.svg").exists()
    assert stages_run(fresh.dvc("repro", PIPELINE)) == set()
    set_params(fresh, lambda document: document["toys"]["b"].update(seed=5))
    assert f"{PIPELINE}:measure@b" in (again := stages_run(fresh.dvc("repro", PIPELINE)))
    assert f"{PIPELINE}:measure@a" not in again


def test_a_bad_toy_is_refused_by_name(fresh: Clone) -> None:
    set_params(fresh, lambda document: document["toys"]["f20_d16_l3_linear_strong"].update(set="tried"))
    arguments = ("stages/validation/params.yaml", "f20_d16_l3_linear_strong", "data/validation")
    output = fresh.stage("validation.measure", *arguments, ok=False)
    assert "`toys.f20_d16_l3_linear_strong.set` must be 'development', 'held_out' or 'awkward', got 'tried'" in output
    assert "Traceback" not in output


def shorten_awkward(document: Any) -> None:
    smaller = {"num_features": 24, "d_in": 12, "orthogonalization_steps": 5}
    trees = document["toys"]["real"] | smaller
    trees["hierarchy"]["total_root_nodes"] = 4
    document["toys"] = {"trees": trees, "trees_half": trees | {"d_sae": 12}}
    document["training"].update(samples=40_960, batch_size=256)
    document["sweep"].update(l0s=4, most=10.0)
    document["synthesize"].update(eval_samples=500)


def test_awkward_toys_go_the_same_way_with_more_and_fewer_latents_than_features(fresh: Clone) -> None:
    set_params(fresh, shorten_awkward, AWKWARD)
    names = ("measure@trees", "measure@trees_half", "score", "figures")
    fresh.add_pipeline(AWKWARD)
    assert stages_run(fresh.dvc("repro", AWKWARD)) == {f"{AWKWARD}:{name}" for name in names}
    document = json.loads((fresh.root / "data/metrics/awkward.json").read_text())
    assert [(toy["num_features"], toy["d_sae"]) for toy in document["toys"].values()] == [(24, 24), (24, 12)]
    assert len({toy["true_l0"] for toy in document["toys"].values()}) == 1
    assert all(toy["said"].endswith(".") for toy in document["toys"].values())
    assert stages_run(fresh.dvc("repro", AWKWARD)) == set()


def test_more_l0s_than_latents_are_refused_by_name(fresh: Clone) -> None:
    set_params(fresh, lambda document: document["toys"]["zipf_half"].update(d_sae=40), AWKWARD)
    output = fresh.stage("validation.measure", "stages/awkward/params.yaml", "zipf_half", "data/awkward", ok=False)
    assert "`sweep.most` must be at most the 40 latents of `toys.zipf_half`, got 96" in output
    assert "Traceback" not in output
