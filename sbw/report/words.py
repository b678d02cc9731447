"""How the report writes numbers: with a true minus sign, and with their spread over the seeds."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd


def number(value: Any, digits: int) -> str:
    """A number, perhaps a cell of a table, with so many decimals."""
    text = f"{value:.{digits}f}"
    return (text.removeprefix("-") if float(text) == 0 else text).replace("-", "−")


def plain(value: Any) -> str:
    """A number as short as it can be, as k and rho are written."""
    return f"{value:g}".replace("-", "−")


def count(number_of: int, one: str, many: str | None = None) -> str:
    """`1 seed`, `2 seeds`."""
    return f"{number_of:,} {one if number_of == 1 else many or one + 's'}"


def spread(values: "pd.Series[Any]", digits: int) -> str:
    """The mean over seeds, and the least and greatest: `0.912 (0.909 to 0.915, 2 seeds)`."""
    seeds = count(len(values), "seed")
    if len(values) == 1:
        return f"{number(values.iloc[0], digits)} ({seeds})"
    least, greatest = number(values.min(), digits), number(values.max(), digits)
    return f"{number(values.mean(), digits)} ({least} to {greatest}, {seeds})"


def share_of(flags: Sequence[bool]) -> str:
    """`1 of 2 seeds`."""
    return f"{sum(flags)} of {count(len(flags), 'seed')}"


def listed(parts: Iterable[str]) -> str:
    """`a, b and c`."""
    texts = list(parts)
    return " and ".join(filter(None, [", ".join(texts[:-1]), *texts[-1:]]))


def ranges(values: Iterable[int]) -> str:
    """Sorted whole numbers, runs of them shortened: `1, 3–5`."""
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)
