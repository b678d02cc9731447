"""The pipeline that tests the recommendation on known toys runs, and reruns what a change concerns."""

import copy
import json
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.conftest import Clone, stages_run
from tests.pipelines import plans, stale

PIPELINE = "stages/validation/dvc.yaml"
CELLS: dict[str, Any] = {
    "calibration_0": {"set": "calibration", "toys": [0, 4]},
    "calibration_1": {"set": "calibration_large", "toys": [4, 6]},
    "held_out_0": {"set": "held_out", "toys": [0, 1]},
    "stress_0": {"set": "stress", "toys": [0, 3]},
}
TOGETHER = {"fit", "score", "figures"}


def set_params(clone: Clone, change: Any) -> None:
    path, yaml = (clone.root / PIPELINE).with_name("params.yaml"), YAML()
    document = yaml.load(path)
    change(document)
    yaml.dump(document, path)


def shorten(document: Any) -> None:
    """A few small toys of each set, two of them with trees, and short trainings."""
    trees = document["toys"]["trees"]
    trees |= {"num_features": 24, "d_in": 12, "orthogonalization_steps": 5}
    trees["hierarchy"]["total_root_nodes"] = 4
    document["toys"] = {"trees": trees, "trees_half": trees | {"d_sae": 12}}
    document["sets"]["calibration_large"]["prior"]["num_features"] = [24, 40]
    for section in document["sets"].values():
        section["training"].update(samples=40_960, batch_size=256)
        section["sweep"].update(l0s=8, most=3.5)
    document["cells"] = copy.deepcopy(CELLS)
    document["synthesize"].update(eval_samples=500)


@pytest.mark.filterwarnings("ignore")  # of a library below DVC
def test_it_runs_and_reruns_what_a_change_concerns(fresh: Clone) -> None:
    set_params(fresh, shorten)
    fresh.open("validation")
    cells = {f"{stage}@{cell}" for stage in ("train", "measure") for cell in CELLS}
    before = (fresh.root / "sbw/verdict/rule.json").read_text()
    ran = stages_run(fresh.dvc("repro", PIPELINE))
    assert {f"{PIPELINE}:{name}" for name in cells | TOGETHER} <= ran
    rule = json.loads((fresh.root / "sbw/verdict/rule.json").read_text())
    assert rule["fitted_on"]["toys"] == 6
    assert list(rule["fitted_on"]["priors"]) == ["calibration", "calibration_large"]
    assert json.dumps(rule) != json.dumps(json.loads(before)), "it is fitted anew"
    document = json.loads((fresh.root / "data/metrics/validation.json").read_text())
    assert list(document) == ["held_out", "stress"]
    assert document["held_out"]["beyond"]["0.3 to 0.75"]["sweeps"] == 1
    assert document["stress"]["all"]["verdict"]["sweeps"] > document["stress"]["noisy"]["verdict"]["sweeps"] > 0
    assert 0 <= document["held_out"]["all"]["verdict"]["covered"] <= 1
    fresh.dvc("repro", PIPELINE)  # the fitted rule lies in a folder that the fit depends on
    assert stages_run(fresh.dvc("repro", PIPELINE)) == set()

    unchanged = plans(fresh.root, PIPELINE)
    set_params(fresh, lambda document: document["cells"]["calibration_1"].update(toys=[4, 7]))
    assert stale(fresh.root, unchanged, PIPELINE) == {"train@calibration_1", "measure@calibration_1", *TOGETHER}
    set_params(fresh, lambda document: document["cells"]["calibration_1"].update(toys=[4, 6]))
    set_params(fresh, lambda document: document["sets"]["stress"]["training"].update(lr=1e-3))
    assert stale(fresh.root, unchanged, PIPELINE) == {"train@stress_0", "measure@stress_0", *TOGETHER}
