"""The k of a schedule over the training."""

import pytest

from sbw.saes.schedule import KSchedule


def test_holds_ramps_and_holds() -> None:
    schedule = KSchedule(20, 11, ramp_from=0.2, ramp_to=0.7)
    assert [schedule.at(p) for p in (0, 0.2, 0.45, 0.7, 1)] == pytest.approx([20, 20, 15.5, 11, 11])


def test_goes_up_too_and_from_the_start_to_the_end_by_default() -> None:
    assert [KSchedule(2, 12).at(p) for p in (0, 0.5, 1)] == [2, 7, 12]
