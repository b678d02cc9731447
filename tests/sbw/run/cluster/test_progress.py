"""The line of a run's progress."""

import pytest

from sbw.run.cluster.progress import Progress, duration


def test_a_line_counts_by_cell_and_machine_and_extrapolates() -> None:
    progress = Progress(cells=6, began=100.0)
    assert progress.line(100.0) == "0 of 6 done, 0 running, 0 failed"
    progress.running.update({"a": "10.0.0.1", "b": "10.0.0.2"})
    progress.ran["10.0.0.1"] += 2
    progress.found, progress.failed = 1, ["c"]
    by_machine = "by machine: 10.0.0.1 2+1, 10.0.0.2 0+1 (done+running)"
    assert progress.line(140.0) == f"3 of 6 done, 2 running, 1 failed; {by_machine}; about 20 s left"


@pytest.mark.parametrize(("seconds", "shown"), [(59, "59 s"), (60, "1 min"), (3599, "1 h 0 min"), (7500, "2 h 5 min")])
def test_durations(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
