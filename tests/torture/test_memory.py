"""A large sweep stays within the memory that docs/trainer.md states."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from sbw.run.loading import load_params
from tests.conftest import Clone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of processes from /proc")

BASE = 0.7e9
PROCESSES = 2


def test_a_sweep_stays_within_its_bound(fresh: Clone, torture: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds, d_sae = (20, 1024) if torture else (4, 128)
    fresh.set_params({"sweep.seeds": list(range(seeds)), "sweep.d_sae": d_sae})
    fresh.set_params({"training.samples": 10_240, "synthesize.eval_samples": 100_000 if torture else 2_000})
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    fresh.stage_here(monkeypatch, "synthesize", "main")
    fresh.stage_here(monkeypatch, "sweep", "low")
    training = _peak(fresh, "sweep", "near")
    evaluation = _peak(fresh, "evaluate", "sweep")
    print(f"{seeds} seeds, {d_sae} latents: {training / 1e9:.2f} GB to train, {evaluation / 1e9:.2f} to evaluate")
    assert training < _bound_of_training(fresh)
    assert evaluation < _bound_of_evaluation(fresh)


def _bound_of_training(clone: Clone) -> float:
    params = load_params(clone.root)
    d_in, d_sae, batch = params.toys["main"].d_in, params.sweep.d_sae, params.training.batch_size
    weights = 2 * d_in * d_sae + 2 * d_sae + d_in
    saes = len(params.sweep.cells["near"]) * len(params.sweep.seeds)
    return BASE + saes * (40 * weights + 8 * batch * (d_in + 2 * d_sae))


def _bound_of_evaluation(clone: Clone) -> float:
    params = load_params(clone.root)
    toy, sweep = params.toys["main"], params.sweep
    pairs = len(sweep.ks) * len(sweep.seeds) * sweep.d_sae * toy.num_features
    return BASE + PROCESSES * 24 * params.synthesize.eval_samples * sweep.d_sae + 600 * pairs


def _peak(clone: Clone, *stage: str) -> float:
    """Most bytes that a stage and its processes held at once."""
    command = ["taskset", "--cpu-list", "0-1", sys.executable, "-m", f"stages.{stage[0]}", *stage[1:]]
    process = subprocess.Popen(command, cwd=clone.root, env=clone.environment, start_new_session=True)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, sum(map(_held, _session(process.pid))))
        time.sleep(0.2)
    assert process.returncode == 0
    return peak


def _session(leader: int) -> list[Path]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            session = int((process / "stat").read_text().rpartition(")")[2].split()[3])
        except OSError:  # it has just ended
            continue
        found += [process] if session == leader else []
    return found


def _held(process: Path) -> float:
    """Bytes of a process, what it shares with others counted in parts."""
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
