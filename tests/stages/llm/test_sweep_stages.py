"""Stages of the sweep refuse what cannot be, in one line; run under DVC they are in tests/pipeline."""

import pytest

from tests.conftest import Clone


@pytest.mark.parametrize("stage", ["train", "measure", "probe"])
def test_a_cell_that_is_not_swept_is_refused(stage: str, checkout: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as end:
        checkout.stage_here(monkeypatch, f"llm.sweep.{stage}", "7")
    assert "`cell` must be one of: low, below, near, above, high, got '7'" in str(end.value.code)
