"""Names of SAEs from outside: made safe to show, put in order, and read for the L0 that they state."""

import re
from pathlib import Path

LONGEST_NAME = 200
"""Most characters of a name; SAELens's longest has 70."""

_L0 = re.compile(
    r"(?:^|[\s/_.-])(?:average_)?(?:l0|k|topk)[_=-]?(\d+(?:\.\d+)?)(?=$|[\s/_(-]|\.(?:sae\.)?pth?$)", re.IGNORECASE
)


def plain(name: str) -> str:
    """A name from outside, safe to keep and show: unprintable characters are escaped, a long name lacks its middle."""
    shown, half = repr(name)[1:-1], LONGEST_NAME // 2
    return shown if len(shown) <= LONGEST_NAME else f"{shown[: half - 1]}…{shown[-half:]}"


def stated_l0(name: str) -> float | None:
    """The last L0 above 0 that a name states, as in `average_l0_105`, `l0=12.5`, `topk_16` or `k=9`, or None."""
    stated = [float(number) for number in _L0.findall(name) if float(number) > 0]
    return stated[-1] if stated else None


def numbers_as_numbers(name: Path | str) -> list[str | int]:
    """A key that sorts numbers in names as numbers."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", str(name))]
