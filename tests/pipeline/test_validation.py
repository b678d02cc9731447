"""The pipeline that tries the recommendation on known toys runs, and reruns what a change concerns."""

import json
from typing import Any

from ruamel.yaml import YAML

from tests.conftest import Clone, stages_run

PIPELINE = "stages/validation/dvc.yaml"


def set_params(clone: Clone, change: Any) -> None:
    path, yaml = clone.root / "stages/validation/params.yaml", YAML()
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
    assert stages_run(fresh.dvc("repro", PIPELINE)) == {
        f"{PIPELINE}:{name}" for name in ("measure@a", "measure@b", "score", "figure")
    }
    scores = json.loads((fresh.root / "data/metrics/validation.json").read_text())
    assert {name: methods["combined"]["toys"] for name, methods in scores.items()} == {"development": 1, "held_out": 1}
    assert (fresh.root / "plots/validation.svg").exists()
    assert stages_run(fresh.dvc("repro", PIPELINE)) == set()
    set_params(fresh, lambda document: document["toys"]["b"].update(seed=5))
    assert f"{PIPELINE}:measure@b" in (again := stages_run(fresh.dvc("repro", PIPELINE)))
    assert f"{PIPELINE}:measure@a" not in again


def test_a_bad_toy_is_refused_by_name(fresh: Clone) -> None:
    set_params(fresh, lambda document: document["toys"]["f20_d16_l3_linear_strong"].update(set="tried"))
    output = fresh.stage("validation.measure", "f20_d16_l3_linear_strong", ok=False)
    assert "`toys.f20_d16_l3_linear_strong.set` must be 'development' or 'held_out', got 'tried'" in output
    assert "Traceback" not in output
