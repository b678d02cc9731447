"""Reads files of params, and tells what is wrong with one by its keys."""

from pathlib import Path
from types import NoneType
from typing import Annotated, Any, TypeVar, get_args, get_origin

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
    """Read and check a file of params whose sections are those of that kind.

    Raises:
        UserError: the file is not readable YAML, or a key is unknown, missing or has an impossible value. The message
            has a line a fault, each naming its key and what is allowed.
    """
    document = _read(path)
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        faults = [f"  {_explain(fault, kind)}" for fault in error.errors()]
        raise UserError("\n".join([f"{path} was refused:", *faults])) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        document = YAML(typ="safe", pure=True).load(path)
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(document, dict):
        raise UserError(f"{path} was refused: it must have sections, got {document!r}")
    return document


def _explain(fault: ErrorDetails, whole: type[Section]) -> str:
    *parents, last = fault["loc"] or ("",)
    above, section = _walk(parents, whole)
    where = f"`{above}`" if above else "the top level"
    key = _walk(list(fault["loc"]), whole)[0]
    if fault["type"] == "union_tag_not_found":
        return f"`{key}.{_discriminator(fault)}` is missing"
    if fault["type"] == "union_tag_invalid":
        allowed, got = fault["ctx"]["expected_tags"], fault["ctx"]["tag"]
        return f"`{key}.{_discriminator(fault)}` must be one of: {allowed}, got {got!r}"
    if fault["type"] == "missing":
        return f"`{key}` is missing"
    if fault["type"] == "extra_forbidden" and section:
        return f"`{key}` is not a parameter; {where} has: {', '.join(section.model_fields)}"
    if fault["type"] == "value_error":
        message = fault["msg"].removeprefix("Value error, ")
        return f"`{key}`: {message}" if key else message
    field = section.model_fields.get(str(last)) if section else None
    meaning = f" ({field.description.rstrip('.')})" if field and field.description else ""
    rule = fault["msg"].replace("Input should be", "must be").replace("should", "must")
    return f"`{key}` {rule}, got {fault['input']!r}{meaning}"


def _discriminator(fault: ErrorDetails) -> str:
    return str(fault["ctx"]["discriminator"]).strip("'")


def _walk(parts: list[int | str], whole: type[Section]) -> tuple[str, type[Section] | None]:
    """The dotted key of a place in the document, and the section that is there, if one is.

    Pydantic names the option of a union among the parts; it is no part of the key.
    """
    key = ""
    kind: Any = whole
    for part in parts:
        kind = _bare(kind)
        options = get_args(kind)
        if isinstance(kind, type) and issubclass(kind, Section):
            field = kind.model_fields.get(str(part))
            key, kind = _joined(key, part), field.annotation if field else None
        elif get_origin(kind) in (dict, list):
            key, kind = _joined(key, part), options[-1]
        elif get_origin(kind) is tuple:
            key, kind = _joined(key, part), None
        else:
            kind = next((option for option in options if _tag(option) == part), None)
    kind = _bare(kind)
    return key, kind if isinstance(kind, type) and issubclass(kind, Section) else None


def _bare(kind: Any) -> Any:
    """A type without what is annotated to it, and without None beside it."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    options = [option for option in get_args(kind) if option is not NoneType]
    return _bare(options[0]) if len(options) == 1 and len(get_args(kind)) == 2 else kind


def _tag(section: Any) -> str | None:
    fields = getattr(section, "model_fields", {})
    tags = [get_args(fields[name].annotation)[0] for name in ("kind", "law") if name in fields]
    return tags[0] if tags else None


def _joined(key: str, part: int | str) -> str:
    return f"{key}[{part}]" if isinstance(part, int) else f"{key}.{part}".lstrip(".")
