"""k as a function of training progress."""

from typing import NamedTuple


class KSchedule(NamedTuple):
    """k is held at `start`, moves to `end` in a straight line, and is held there."""

    start: float
    """k at the first step."""
    end: float
    """k at the last step."""
    ramp_from: float = 0.0
    """Share of the training after which k begins to move."""
    ramp_to: float = 1.0
    """Share of the training after which k stays at `end`."""

    def at(self, progress: float) -> float:
        """The k when a share `progress` of the training is done."""
        if progress >= self.ramp_to:
            return self.end
        moved = max(0.0, progress - self.ramp_from) / (self.ramp_to - self.ramp_from)
        return self.start + moved * (self.end - self.start)
