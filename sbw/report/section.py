"""What a section of the report is made of."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel

from sbw.report.claims import Claim


class Picture(NamedTuple):
    """A figure, by the name of its file, and what it shows, for those who do not see it."""

    name: str
    alt: str


class Table(NamedTuple):
    """Rows of text under a header."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


class Section(NamedTuple):
    """A part of the story."""

    title: str
    prose: Sequence[str]
    claims: Sequence[Claim] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    params: Sequence[str] = ()
    """Lines `key: value` of the params that it rests on."""
    shown: bool = True
    """False where its experiment is not in the params: then only its claims count, as not tested."""


def knobs(prefix: str, section: BaseModel, names: Iterable[str] | None = None) -> list[str]:
    """Params as lines `key: value`, all of a section or those named."""
    values = section.model_dump()
    return [f"{prefix}.{name}: {_flow(values[name])}" for name in names or values]


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(part) for part in value) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, str) and not value.isidentifier():
        return json.dumps(value)  # YAML would read a bare * as something else
    return f"{value:g}" if isinstance(value, float) else str(value)
