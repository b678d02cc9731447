"""Reads files of params, and says what is wrong with one by its keys."""

import re
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sbw.params.base import Section
from sbw.params.document import Params
from sbw.run.errors import UserError

P = TypeVar("P", bound=Section)


def load_params(folder: Path) -> Params:
    """Read and check params.yaml and, with the figures, plots/params.yaml of a folder; raises as `load_document`."""
    return load_document(Params, folder / "params.yaml", folder / "plots/params.yaml")


def load_document(kind: type[P], *paths: Path) -> P:
    """Read and check files of params whose sections are, together, those of that kind.

    Raises:
        UserError: a file is not readable YAML, two have the same section, or a key is unknown, missing or has an
            impossible value. The message has one line per fault: its key, what is allowed, what was given.
    """
    documents = {path: _read(path) for path in paths}
    merged = _merged(documents)
    try:
        return kind.model_validate(merged)
    except ValidationError as error:
        faults = [f"  {_explain(fault, merged)}" for fault in error.errors()]
        named = {section for fault in faults for section in re.findall(r"`(\w+)", fault)}
        concerned = [str(path) for path in paths if not named.isdisjoint(documents[path])] or [str(paths[0])]
        refused = f"{' and '.join(concerned)} {'was' if len(concerned) == 1 else 'were'} refused:"
        raise UserError("\n".join([refused, *faults])) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        document = YAML(typ="safe", pure=True).load(path)
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(document, dict):
        raise UserError(f"{path} was refused: it must have sections, got {document!r}")
    return document


def _merged(documents: dict[Path, dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for path, document in documents.items():
        for section in document:
            if section in merged:
                raise UserError(f"{path} was refused: another file has `{section}` too")
        merged |= document
    return merged


def _explain(fault: ErrorDetails, document: dict[str, Any]) -> str:
    key, context = _key(fault, document), fault.get("ctx", {})
    of_union = f"{key}.{context.get('discriminator', '')}".replace("'", "")
    match fault["type"]:
        case "missing":
            return f"`{key}` is missing"
        case "union_tag_not_found":
            return f"`{of_union}` is missing"
        case "union_tag_invalid":
            return f"`{of_union}` must be one of: {context['expected_tags']}, got {context['tag']!r}"
        case "value_error":
            return f"`{key}`: {context['error']}" if key else str(context["error"])
    rule = fault["msg"].replace("Input should be", "must be").replace("should", "must")
    return f"`{key}` {rule}, got {fault['input']!r}"


def _key(fault: ErrorDetails, document: Any) -> str:
    """The dotted key of a fault: pydantic's place of it without the options of unions, which no document names."""
    key, place = "", document
    for part in fault["loc"]:
        if part in (place if isinstance(place, dict) else range(len(place)) if isinstance(place, list) else ()):
            key, place = key + _joined(part), place[part]
    return (key + _joined(fault["loc"][-1]) if fault["type"] == "missing" else key).removeprefix(".")


def _joined(part: int | str) -> str:
    return f"[{part}]" if isinstance(part, int) else f".{part}"
