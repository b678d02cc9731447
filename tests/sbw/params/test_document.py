"""params.yaml is read as typed objects, or refused with the key and what is allowed."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from ruamel.yaml import YAML

from sbw.params import Llm, Params, Validation
from sbw.run.errors import UserError
from sbw.run.loading import load_document, load_params
from sbw.verdict.fitting import FOLDS
from tests.conftest import ROOT, Clone


def written(folder: Path, old: str, new: str, file: str = "params.yaml") -> Path:
    """The project's own params in a folder, but for that change."""
    text, path = (ROOT / file).read_text(), folder / file
    assert old in text
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace(old, new))
    return path


def refused(
    tmp_path: Path, old: str, new: str, file: str = "params.yaml", kind: type[Params | Llm | Validation] = Params
) -> str:
    with pytest.raises(UserError) as caught:
        load_document(kind, written(tmp_path, old, new, file))
    message = str(caught.value).replace(f"{tmp_path}/", "")
    assert message.startswith(f"{file} ")
    return message


def test_defaults_are_the_papers() -> None:
    params = load_params(ROOT)
    toy = params.toys["main"]
    assert (params.k, toy.num_features, toy.d_in, toy.magnitude.std) == (11, 50, 100, 0.15)
    assert (params.training.samples, params.training.batch_size, params.training.lr) == (15_000_000, 1024, 3e-4)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("k: 11 ", "k: 0 ", "`k` must satisfy 0 < k <= train.d_sae (50), got 0"),
        ("k: 11 ", "k: 60 ", "`k` must satisfy 0 < k <= train.d_sae (50), got 60"),
        ("k: 11 ", "k: nine ", "`k` must be a valid number, got 'nine'"),
        ("k: 11 ", "k: .nan ", "`k` must be a finite number, got nan"),
        ("k: 11 ", "k: 0.0001 ", "`k` * `training.batch_size` must be at least 1"),
        ("k: 11 ", "kk: 11 ", "`kk` is not a parameter; those here are: k, collect_l0,"),
        ("k: 11 ", "k: [11 ", "is not valid YAML"),
        ("  lr: 3.0e-4", "  foo: 1", "`training`: `foo` is not a parameter; those here are: samples, batch_size, lr,"),
        ("  lr: 3.0e-4", "", "`training.lr` is missing"),
        ("  toy: main", "  toy: big", "`train.toy` must be one of: main, superposed, five,"),
        ("  main:\n", "  ma/in:\n", "`toys.ma/in` String must match pattern"),
        ('models: ["*"]', "models: []", "`collect_l0.models` List must have at least 1 item"),
        ("eval_samples: 100000", "eval_samples: 9",
         "`synthesize.eval_samples` must be greater than or equal to 10, got 9"),
        ("device: auto  ", "device: gpu  ", "`training.device` must be 'auto', 'cpu' or 'cuda', got 'gpu'"),
        ("  log_every: 50 ", "  log_every: 20000 ",
         "`train.log_every` must be at most the steps of `training.samples`"),
        ("seeds: [0, 1]", "seeds: [1, 1]", "`sweep.seeds` must not repeat a value, got [1, 1]"),
        ("seeds: [0, 1]", "seeds: [9007199254740992]",
         "`sweep.seeds[0]` must be less than 9007199254740992, got 90071"),
        ("  n: 18", "  n: 50", "`evaluate.n` must satisfy 1 <= n < d_sae (50), got 50"),
        ("low: [1, 2, 3,", "low: [1, 2, 60,", "`sweep.cells.low[2]` must satisfy 0 < k <= sweep.d_sae (50), got 60"),
        ("low: [1, 2, 3,", "low: [1, 2, 9,", "`sweep`: `cells` must not repeat a value, got [1.0, 2.0, "),
        ("ks: [1, 2, 5,", "ks: [1, 2.5, 5,", "`figures.sweep.cosine_heatmaps.ks[1]` must be in `sweep.cells`, got 2.5"),
        ("kind: grid", "kind: lattice",
         "`experiments.finetune.kind` must be one of: 'grid', 'transition', 'jumprelu',"),
        ("ks: [5]", "ks: [60]", "`experiments.finetune.ks[0]` must satisfy 0 < k <= experiments.finetune.d_sae (50)"),
        ("    d_sae: 5\n", "    d_sae: 6\n", "`experiments.mixing.d_sae` must be the number of features (5), since it"),
        ("rhos: [-0.5,", "rhos: [-0.6,", "`experiments.mixing.rhos[0]` must be between -0.5 and 0.5, got -0.6"),
        ("{initial_k: 20,", "{initial_k: 51,", "`experiments.transition.ramps[0].initial_k` must satisfy 0 < k <="),
        ("ramp_to: 0.7509", "ramp_to: 1.0",
         "`experiments.transition.ramps[0].ramp_to` must be over by the last of 146"),
        ("ramp_to: 0.7509", "ramp_to: 0.1", "`experiments.transition.ramps[0]`: `ramp_to` must be above `ramp_from`"),
        ("samples: 30720000", "samples: 15000000",
         "`experiments.transition.ramps[2]` must differ from those before it in"),
        ("  finetune:", "  sweep:", "`experiments.sweep` must have another name"),
        ("law: zipf, max: 0.8234", "law: zipf, max: 0.1", "`toys.five_zipf.firing`: `min` must be below"),
        ("{law: none}", "{law: pairs, pairs: [[0, 1, 1.5]]}",
         "`toys.five.correlation.pairs[0][2]` must be less than 1"),
        ("{law: none}", "{law: none}\n    hierarchy: {total_root_nodes: 2, branching_factor: 1, max_depth: 1}",
         "`toys.five.hierarchy.branching_factor` must be gr"),
        ("{law: none}", "{law: none}\n    hierarchy: {total_root_nodes: 2, branching_factor: 2, max_depth: 1}",
         "`experiments.mixing.toy` must have no `hierarchy`"),
        ("  gpus: 0 ", "  gpus: 1.5 ", "`cluster`: `gpus` must be a whole number or below 1, got 1.5"),
    ],
)  # fmt: skip
def test_refusal_names_the_key_and_what_is_allowed(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert message in refused(tmp_path, old, new)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("experiments", {}, "`experiments` Dictionary must have at least 1 item"),
        ("sweep.toy", "five", "`sweep.cells.low[5]` must be at most the features of `toys.five` (5), got 6"),
        ("sweep.d_sae", 2, "`sweep.d_sae` must be greater than or equal to 3, got 2"),
    ],
)
def test_what_would_fail_after_the_training_is_refused(tmp_path: Path, key: str, value: Any, message: str) -> None:
    written(tmp_path, "", "")
    Clone(tmp_path).set_params({key: value})
    with pytest.raises(UserError, match=re.escape(message)):
        load_params(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("toys: [20, 40]}\n  calibration_2", "toys: [19, 40]}\n  calibration_2",
         "`cells.calibration_1.toys` must have no toy of `cells.calibration_0`, got 19"),
        ("fitted_on: [calibration, calibration_large]", "fitted_on: [calibration, calibration]",
         "`fitted_on` must not repeat a value"),
        ("noise: [null, {law", "noise: [{law: gaussian, scale: 0.2}, {law", "`noise` must not repeat a value"),
        ("fitted_on: [calibration, calibration_large]",
         "fitted_on: [calibration, calibration_large, held_out, held_out_large, stress]",
         "`cells` must have toys of a set that is not in `fitted_on`"),
        ("num_features: [64, 240]", "num_features: [3, 240]", "`num_features` must be at least 4"),
    ],
)  # fmt: skip
def test_what_a_validation_cannot_be_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert message in refused(tmp_path, old, new, "stages/validation/params.yaml", Validation)


def test_a_rule_is_fitted_on_a_toy_per_fold_at_least() -> None:
    document = YAML(typ="safe").load(ROOT / "stages/validation/params.yaml")
    cells = {name: cell for name, cell in document["cells"].items() if cell["set"] not in document["fitted_on"]}
    few = {"few": {"set": "calibration", "toys": [0, FOLDS - 1]}}
    with pytest.raises(ValidationError, match=f"`cells` must have at least {FOLDS} toys of the sets in `fitted_on`"):
        Validation.model_validate({**document, "cells": cells | few})
    few["few"]["toys"] = [0, FOLDS]
    Validation.model_validate({**document, "cells": cells | few})


def test_a_gpu_is_asked_for_only_where_there_is_one(tmp_path: Path) -> None:
    written(tmp_path, "device: auto  ", "device: cuda  ")
    if torch.cuda.is_available():
        assert load_params(tmp_path).training.device == "cuda"
    else:
        with pytest.raises(UserError, match=r"`training.device`: must be 'auto' or 'cpu', since PyTorch finds no GPU"):
            load_params(tmp_path)


@pytest.mark.parametrize("document", [b"", b"- 1\n", b"\xff\xfe\x00", b"3"])
def test_a_document_of_another_shape_is_refused(tmp_path: Path, document: bytes) -> None:
    (tmp_path / "params.yaml").write_bytes(document)
    with pytest.raises(UserError, match=re.escape(f"{tmp_path / 'params.yaml'} ")):
        load_params(tmp_path)


def test_checking_params_imports_nothing_slow() -> None:
    code = "import sys, sbw.run.check; print({'torch', 'pandas', 'sae_lens', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
