"""How the report writes numbers, counts, lists and values of params."""

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd


def fixed(value: Any, digits: int) -> str:
    """A number with so many decimals, a true minus sign and no negative zero."""
    text = f"{value:.{digits}f}"
    return (text.removeprefix("-") if float(text) == 0 else text).replace("-", "−")


def short(value: Any) -> str:
    """A number without trailing zeros, as k and ρ are written."""
    return f"{value:g}".replace("-", "−")


def count(number: int, one: str, many: str = "") -> str:
    """`1 seed`, `2 seeds`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def spread(values: "pd.Series[Any]", digits: int) -> str:
    """The mean over seeds, their minimum and maximum, and how many they are: `0.912 (0.909 to 0.915, 2 seeds)`."""
    over = f"{fixed(values.min(), digits)} to {fixed(values.max(), digits)}, " if len(values) > 1 else ""
    return f"{fixed(values.mean(), digits)} ({over}{count(len(values), 'seed')})"


def share(flags: "pd.Series[bool]") -> str:
    """Of how many seeds something holds: `1 of 2 seeds`."""
    return f"{sum(flags)} of {count(len(flags), 'seed')}"


def listed(parts: Iterable[str]) -> str:
    """`a, b and c`."""
    *most, last = [*parts] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def ranges(values: Iterable[int]) -> str:
    """Sorted whole numbers, runs of them shortened: `1, 3–5`."""
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)


def flow(value: Any) -> str:
    """A value of a param as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    if isinstance(value, str) and value.isidentifier():
        return value
    return json.dumps(int(value) if isinstance(value, float) and value == int(value) else value)
