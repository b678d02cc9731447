"""Bad input ends in one line that names the key or the file, exit status 1, and nothing half-written."""

import hashlib
from pathlib import Path

import pytest

from tests.conftest import Clone


def outputs(clone: Clone) -> dict[str, str]:
    """The hash of every file that stages write."""
    files = [path for place in ("data", "plots") for path in (clone.root / place).rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_repro_refuses_a_bad_value_and_leaves_the_old_results_to_checkout(reproduced: Clone) -> None:
    before = outputs(reproduced)
    original = (reproduced.root / "params.yaml").read_text()
    reproduced.set_params({"k": 60})
    output = reproduced.dvc("repro", ok=False)
    assert "`k` must satisfy 0 < k <= train.d_sae (50), got 60" in output
    assert "Traceback" not in output
    assert outputs(reproduced).items() <= before.items()
    (reproduced.root / "params.yaml").write_text(original)
    assert "Running stage" not in reproduced.dvc("repro")
    assert outputs(reproduced) == before


def test_broken_yaml_is_named_by_dvc_and_by_the_stages(fresh: Clone) -> None:
    before = outputs(fresh)
    (fresh.root / "params.yaml").write_text("k: [11\n")
    assert "params.yaml" in fresh.dvc("repro", ok=False)
    output = fresh.sbw("check", ok=False)
    assert "params.yaml is not valid YAML" in output
    assert "Traceback" not in output
    assert outputs(fresh) == before


def refusal(clone: Clone, stage: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The message of a stage that ends with one."""
    with pytest.raises(SystemExit) as end:
        clone.stage_here(monkeypatch, *stage)
    assert isinstance(end.value.code, str), "a message makes the exit status 1"
    return end.value.code


@pytest.mark.parametrize(
    ("path", "stage"),
    [
        ("data/sae/train/sae_weights.safetensors", ["evaluate", "train"]),
        ("data/metrics/train/cosines.parquet", ["figures", "train"]),
    ],
)
def test_corrupt_file_is_named(reproduced: Clone, path: str, stage: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    broken = reproduced.root / path
    whole = broken.read_bytes()
    broken.unlink()
    broken.write_bytes(whole[: len(whole) // 2])
    before = outputs(reproduced)
    message = refusal(reproduced, stage, monkeypatch)
    assert f": {Path(path).parent}" in message
    assert " is not a readable " in message
    assert outputs(reproduced) == before


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (["synthesize", "big"], "`toy` must be one of: main, five, got 'big'"),
        (["evaluate", "big"], "`name` must be one of: train, sweep, finetune, transition, jumprelu, mixing, got 'big'"),
        (["sweep", "12"], "`cell` must be one of: low, near, got '12'"),
        (["experiment", "big"], "`experiment` must be one of: finetune, transition, jumprelu, mixing, got 'big'"),
        (["figures", "big"], "`family` must be one of: pretrained, toy, train,"),
    ],
)
def test_unknown_cell_is_refused(
    checkout: Clone, stage: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert message in refusal(checkout, stage, monkeypatch)


def test_fractional_k_is_fine(reproduced: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    reproduced.set_params({"k": 1.8})
    reproduced.stage_here(monkeypatch, "train")
    assert '"k": 1.8' in (reproduced.root / "data/sae/train/cfg.json").read_text()
