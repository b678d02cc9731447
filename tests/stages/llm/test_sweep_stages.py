"""Stages of the sweep refuse what cannot be, in one line; run under DVC they are in tests/pipeline."""

import pytest

from tests.conftest import Clone


@pytest.mark.parametrize("stage", ["train", "measure", "probe"])
def test_a_k_that_is_not_swept_is_refused(stage: str, checkout: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as end:
        checkout.stage_here(monkeypatch, f"llm.sweep.{stage}", "7")
    assert "`k` must be one of: 5, 8, 14, 25, 43, 75, 130, 230, 400, got '7'" in str(end.value.code)
