"""The same inputs give the same bytes."""

import shutil

import pytest

from tests.conftest import Clone


@pytest.mark.parametrize(
    ("stage", "outputs"),
    [
        (["collect_l0"], ["data/pretrained"]),
        (["synthesize", "main"], ["data/toy/main"]),
        (["train"], ["data/sae/train", "plots"]),
        (["sweep", "low"], ["data/sae/sweep"]),
        (["evaluate", "train"], ["data/metrics/train", "data/metrics.json"]),
        (["evaluate", "sweep"], ["data/metrics/sweep", "data/sweep.json"]),
        (["experiment", "mixing"], ["data/sae/experiments/mixing"]),
        (["experiment", "jumprelu"], ["data/sae/experiments/jumprelu"]),
        (["evaluate", "mixing"], ["data/metrics/experiments/mixing"]),
        (["evaluate", "transition"], ["data/metrics/experiments/transition"]),
        (["figures", "sweep"], ["plots"]),
        (["experiment_figure", "mixing"], ["plots"]),
        (["automatic_l0"], ["data/metrics/automatic_l0", "data/sae/automatic_l0"]),
        (["recommend"], ["data/metrics/recommendation", "data/metrics/recommendation.json"]),
        (["audit"], ["data/metrics/audit"]),
        (["report"], ["plots"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_a_stage_run_again_in_another_process_writes_the_same_bytes(
    reproduced: Clone, stage: list[str], outputs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for output in outputs:
        path = reproduced.root / output
        shutil.copytree(path, f"{path}.before") if path.is_dir() else shutil.copy(path, f"{path}.before")
    reproduced.stage_here(monkeypatch, *stage)
    for output in outputs:
        reproduced.run("diff", "-r", output, f"{output}.before")
