"""The progress of a run, by cell and machine."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Progress:
    """Counts the cells of a run that started at `began`, in seconds of any clock."""

    cells: int
    began: float
    ran: Counter[str] = field(default_factory=Counter)
    """Cells that ran, by machine."""
    found: int = 0
    """Cells whose results were in the remote."""
    failed: list[str] = field(default_factory=list)
    running: dict[str, str] = field(default_factory=dict)
    """The machine of each running cell."""

    @property
    def done(self) -> int:
        """Cells whose results are in the remote."""
        return self.ran.total() + self.found

    @property
    def remaining(self) -> int:
        """Cells that are neither done nor failed."""
        return self.cells - self.done - len(self.failed)

    def line(self, now: float) -> str:
        """`12 of 40 done, 8 running, 1 failed; by machine: 10.0.0.1 12+8 (done+running); about 14 min left`."""
        running = Counter(self.running.values())
        machines = [f"{name} {self.ran[name]}+{running[name]}" for name in sorted({*self.ran, *running})]
        parts = [f"{self.done} of {self.cells} done, {len(self.running)} running, {len(self.failed)} failed"]
        if machines:
            parts.append(f"by machine: {', '.join(machines)} (done+running)")
        finished = self.done + len(self.failed)
        if finished and self.remaining:
            parts.append(f"about {duration((now - self.began) / finished * self.remaining)} left")
        return "; ".join(parts)


def duration(seconds: float) -> str:
    """`50 s`, `14 min`, `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
