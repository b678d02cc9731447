"""Reads files of params, and names the keys that are wrong."""

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
    """Read and check params.yaml of a folder; raises as `load_document`."""
    return load_document(Params, folder / "params.yaml")


def load_document(kind: type[P], path: Path) -> P:
    """Read and check a file of params.

    Raises:
        UserError: the file is not readable YAML, or a key is unknown, missing or has an impossible value. The message
            has one line per fault: its key, what is allowed, what was given.
    """
    document = _read(path)
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        faults = [f"  {_explain(fault, document)}" for fault in error.errors()]
        raise UserError("\n".join([f"{path} was refused:", *faults])) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        document = YAML(typ="safe", pure=True).load(path)
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(document, dict):
        raise UserError(f"{path} was refused: it must have sections, got {document!r}")
    return document


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
    """The dotted key of a fault: pydantic's location without the tags of unions, which no document has."""
    key, place = "", document
    for part in fault["loc"]:
        if part in (place if isinstance(place, dict) else range(len(place)) if isinstance(place, list) else ()):
            key, place = key + _joined(part), place[part]
    return (key + _joined(fault["loc"][-1]) if fault["type"] == "missing" else key).removeprefix(".")


def _joined(part: int | str) -> str:
    return f"[{part}]" if isinstance(part, int) else f".{part}"
