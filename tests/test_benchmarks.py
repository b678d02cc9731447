"""The benchmark of a GPU runs where there is none, so that it will run where there is one."""

import pytest

from tests.benchmarks import gpu


def test_the_gpu_benchmark_runs_on_a_cpu(capsys: pytest.CaptureFixture[str]) -> None:
    few = gpu.Shape(saes=2, d_in=16, d_sae=24, k=3, batch=64, steps=4)
    gpu.compare("tiny SAEs", few, "cpu")
    gpu.differ(few, "cpu")
    printed = capsys.readouterr().out
    assert "2 tiny SAEs: " in printed
    assert "after 4 steps decoders differ from the CPU's by at most 0.0e+00" in printed
    assert gpu.scaled(gpu.LARGE, 0.01) == gpu.LARGE._replace(d_sae=164, k=41, steps=4)
