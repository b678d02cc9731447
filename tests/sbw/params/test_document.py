"""params.yaml is read as typed objects, or refused with the key and what is allowed."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from sbw.params import Llm, Params
from sbw.run.errors import UserError
from sbw.run.loading import load_document, load_params
from tests.conftest import FIGURE_PARAMS, ROOT

MAIN = ("params.yaml", FIGURE_PARAMS)


def written(folder: Path, old: str, new: str, files: Sequence[str] = MAIN) -> list[Path]:
    """The project's own params in a folder, but for that change."""
    texts = {folder / file: (ROOT / file).read_text() for file in files}
    assert any(old in text for text in texts.values())
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace(old, new))
    return list(texts)


def refused(tmp_path: Path, old: str, new: str, files: Sequence[str] = MAIN, kind: type[Params | Llm] = Params) -> str:
    paths = written(tmp_path, old, new, files)
    with pytest.raises(UserError) as caught:
        load_document(kind, *paths)
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_defaults_are_the_papers() -> None:
    params = load_params(ROOT)
    toy = params.toys["main"]
    assert (params.k, toy.num_features, toy.d_in, toy.magnitude.std) == (11, 50, 100, 0.15)
    assert (params.training.samples, params.training.batch_size, params.training.lr) == (15_000_000, 1024, 3e-4)


def test_fractional_k_is_valid(tmp_path: Path) -> None:
    written(tmp_path, "k: 11 ", "k: 1.8 ")
    assert load_params(tmp_path).k == 1.8


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("k: 11 ", "k: 0 ", "`k` must satisfy 0 < k <= train.d_sae (50), got 0"),
        ("k: 11 ", "k: -1 ", "`k` must satisfy 0 < k <= train.d_sae (50), got -1"),
        ("k: 11 ", "k: 60 ", "`k` must satisfy 0 < k <= train.d_sae (50), got 60"),
        ("k: 11 ", "k: nine ", "`k` must be a valid number, got 'nine' (L0 of the SAE in focus, 0 < k <="),
        ("k: 11 ", "k: .nan ", "`k` must be a finite number, got nan"),
        ("k: 11 ", "k: true ", "`k` must be a valid number, got True"),
        ("k: 11 ", "k: 0.0001 ", "`k` * `training.batch_size` must be at least 1"),
        ("k: 11 ", "kk: 11 ", "`kk` is not a parameter; the top level has: k, collect_l0,"),
        ("k: 11 ", "kk: 11 ", "`k` is missing"),
        ("  lr: 3.0e-4", "  foo: 1", "`training.foo` is not a parameter; `training` has: samples,"),
        ("  lr: 3.0e-4", "  foo: 1", "`training.lr` is missing"),
        ("  lr: 3.0e-4", "  lr: 0", "`training.lr` must be greater than 0, got 0"),
        ("  toy: main", "  toy: big", "`train.toy` must be one of: main, superposed, five,"),
        (
            "max_strength: 0.9",
            "max_strength: 1.1",
            "`toys.main.correlation.max_strength` must be less than or",
        ),
        ("min_strength: 0.3", "min_strength: 0.95", "`min_strength` must be at most `max_strength` (0.9), got 0.95"),
        ("min: 0.05", "min: 0.5", "`toys.main.firing`: `min` must be at most `max` (0.3881), got 0.5"),
        ("  main:\n", "  ma/in:\n", "`toys.ma/in.[key]` String must match pattern"),
        ('models: ["*"]', "models: []", "`collect_l0.models` List must have at least 1 item"),
        ('models: ["*"]', "models: [3]", "`collect_l0.models[0]` must be a valid string, got 3"),
        (
            "  log_every: 50 ",
            "  log_every: 20000 ",
            "`train.log_every` must be at most the steps that `training.samples` make (14649), got 20000",
        ),
        ("  n: 18", "  n: 50", "`evaluate.n` must satisfy 1 <= n < d_sae (50), got 50"),
        ("ks: [1, 2, 3,", "ks: [1, 2, 60,", "`sweep.ks[2]` must satisfy 0 < k <= sweep.d_sae (50), got 60"),
        ("ks: [1, 2, 3,", "ks: [1, 2, 2,", "`sweep.ks` must not repeat a value, got [1.0, 2.0, 2.0, 4.0,"),
        ("ks: [1, 2, 3,", "ks: [1, 2, x,", "`sweep.ks[2]` must be a valid number, got 'x'"),
        ("seeds: [0, 1]", "seeds: []", "`sweep.seeds` List must have at least 1 item"),
        ("seeds: [0, 1]", "seeds: [1, 1]", "`sweep.seeds` must not repeat a value, got [1, 1]"),
        ("ks: [1, 2, 5,", "ks: [1, 2.5, 5,", "`figures.cosine_heatmaps.ks[1]` must be one of `sweep.ks`, got 2.5"),
        ("ns: [12, 13,", "ns: [12, 50,", "`figures.projection.ns[1]` must satisfy 1 <= n < d_sae (50), got 50"),
        ("device: auto  ", "device: gpu  ", "`training.device` must be 'auto', 'cpu' or 'cuda', got 'gpu'"),
        (
            "kind: grid",
            "kind: lattice",
            "`experiments.finetune.kind` must be one of: 'grid', 'transition', 'jumprelu',",
        ),
        ("start: truth", "start: lies", "`experiments.finetune.start` must be 'random' or 'truth', got 'lies'"),
        (
            "ks: [5]",
            "kss: [5]",
            "`experiments.finetune.kss` is not a parameter; `experiments.finetune` has: toy",
        ),
        (
            "ks: [5]",
            "ks: [60]",
            "`experiments.finetune.ks[0]` must satisfy 0 < k <= experiments.finetune.d_sae (50)",
        ),
        ("    d_sae: 5\n", "    d_sae: 6\n", "`experiments.mixing.d_sae` must be the number of features (5), since it"),
        ("rhos: [-0.5,", "rhos: [-0.6,", "`experiments.mixing.rhos[0]` must be between -0.5 and 0.5, got -0.6"),
        ("{initial_k: 20,", "{initial_k: 51,", "`experiments.transition.ramps[0].initial_k` must satisfy 0 < k <="),
        (
            "ramp_to: 0.7509",
            "ramp_to: 1.0",
            "`experiments.transition.ramps[0].ramp_to` must be over by the last of 146",
        ),
        ("ramp_to: 0.7509", "ramp_to: 0.1", "`experiments.transition.ramps[0]`: `ramp_to` must be above `ramp_from`"),
        (
            "l0_coefficients: [0.05,",
            "l0_coefficients: [0,",
            "`experiments.jumprelu.l0_coefficients[0]` must be ",
        ),
        ("    bandwidth: 2.0\n", "", "`experiments.jumprelu.bandwidth` is missing"),
        ("  finetune:", "  sweep:", "`experiments.sweep` must have another name: that one is taken"),
        (
            "law: zipf, max: 0.8234",
            "law: zipf, max: 0.1",
            "`toys.five_zipf.firing`: `min` must be below",
        ),
        (
            "law: zipf,",
            "law: pareto,",
            "`toys.five_zipf.firing.law` must be one of: 'linear', 'zipf', 'random', 'constant', got",
        ),
        (
            "correlation: {law: none}",
            "correlation: {law: none}\n    hierarchy: {total_root_nodes: 2, branching_factor: 1, max_depth: 1}",
            "`toys.five.hierarchy.branching_factor` must be greater than or equal to 2, got 1",
        ),
        (
            "correlation: {law: none}",
            "correlation: {law: none}\n    hierarchy: {total_root_nodes: 2, branching_factor: 2, max_depth: 1, x: 2}",
            "`toys.five.hierarchy.x` is not a parameter; `toys.five.hierarchy` has: total_root_nodes, branching",
        ),
        (
            "correlation: {law: none}",
            "correlation: {law: none}\n    hierarchy: {total_root_nodes: 2, branching_factor: 2, max_depth: 1}",
            "`experiments.mixing.toy` must have no `hierarchy`: it correlates features anew, got 'five'",
        ),
        (
            "correlation: {law: none}",
            "correlation: {law: pairs, pairs: [[0, 1, 1.5]]}",
            "`toys.five.correlation.pairs[0][2]` must be less than 1, got 1.5",
        ),
        ("  gpus: 0 ", "  gpus: 1.5 ", "`cluster`: `gpus` must be a whole number or below 1, got 1.5"),
        ("  cpus: 1 ", "  cpus: 0 ", "`cluster.cpus` must be greater than or equal to 1, got 0 (Processors of a cell"),
        ("k: 11 ", "k: [11 ", "is not valid YAML"),
        ("k: 11 ", "k: 11\nk: 12 ", "is not valid YAML"),
    ],
)
def test_refusal_names_the_key_and_what_is_allowed(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert message in refused(tmp_path, old, new)


@pytest.mark.parametrize("document", [b"", b"- 1\n", b"\xff\xfe\x00", b"3"])
@pytest.mark.parametrize("file", MAIN)
def test_a_document_of_another_shape_is_refused(tmp_path: Path, document: bytes, file: str) -> None:
    written(tmp_path, "", "")
    (tmp_path / file).write_bytes(document)
    with pytest.raises(UserError, match=re.escape(f"{tmp_path / file} ")):
        load_params(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "files"),
    [
        ("k: 11 ", "k: 60 ", "params.yaml was refused:"),
        ("columns: 3", "columns: 0", "plots/params.yaml was refused:"),
        ("ks: [9, 5]", "ks: [9, 5.5]", "params.yaml and plots/params.yaml were refused:"),
        ("k: 11 ", "figures: {}\nk: 11 ", "plots/params.yaml was refused: another file has `figures` too"),
    ],
)
def test_refusal_names_the_files_that_have_the_keys(tmp_path: Path, old: str, new: str, files: str) -> None:
    assert refused(tmp_path, old, new).startswith(files)


def test_checking_params_imports_nothing_slow() -> None:
    code = "import sys, sbw.run.check; print({'torch', 'pandas', 'sae_lens', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
