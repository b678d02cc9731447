"""What every stage shares: its command line, params checked before anything slow is imported, whole outputs or none."""

import argparse
import gc
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sbw.params import Llm, Params, load_document, load_params

LLM_PARAMS = Path("stages/llm/params.yaml")


def run(
    main: Callable[..., None], description: str | None, kind: type[Params | Llm] = Params, **arguments: str
) -> None:
    """Run a stage: parse its positional `arguments` (name: help), check its params, then call `main(params, *values)`.

    A user's mistake (a refused value, a file that is missing or unreadable), a full disk and Ctrl-C end in one line on
    standard error; anything else is a fault of ours and keeps its traceback. `main` imports torch and SAELens itself,
    so that a bad file of params is refused in half a second.
    """
    gc.set_threshold(100_000)  # importing SAELens makes many objects and no garbage: a tenth of its time
    spec = sys.modules["__main__"].__spec__
    parser = argparse.ArgumentParser(prog=f"python -m {spec.name}" if spec else None, description=description)
    for name, meaning in arguments.items():
        parser.add_argument(name, help=meaning)
    values = vars(parser.parse_args()).values()
    try:
        params = load_params(Path()) if kind is Params else load_document(kind, LLM_PARAMS)
        main(params, *values)
    except (ValueError, OSError) as error:
        sys.exit(printable(f"{parser.prog}: {_told(error)}"))
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        sys.exit(130)  # as shells say it


def one_of(name: str, value: str, allowed: list[str]) -> str:
    """`value`, if it is allowed.

    Raises:
        ValueError: it is not; the message lists what is.
    """
    if value not in allowed:
        raise ValueError(f"`{name}` must be one of: {', '.join(allowed)}, got {value!r}")
    return value


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A place beside `path` to write a file to; it becomes `path` when the block ends well, else it goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    _remove(partial)
    try:
        yield partial
        _put(partial, path)
    except OSError as error:
        if error.filename is None:  # as the libraries say it
            raise OSError(f"{path} could not be written: {error}") from error
        raise
    finally:
        _remove(partial)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """As `whole`, for a folder, which is there and empty when the block begins."""
    with whole(path) as partial:
        partial.mkdir()
        yield partial


def write_json(document: dict[str, Any], path: Path) -> None:
    """Write a JSON file that reads well in a diff."""
    path.write_text(json.dumps(document, indent=2) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file.

    Raises:
        FileNotFoundError, ValueError: it is missing, is not readable, or, later, has not the key that is asked for.
    """

    class Document(dict[str, Any]):
        def __missing__(self, key: str) -> Any:
            raise ValueError(f"{path} has no `{key}`")

    try:
        return json.loads(path.read_text(encoding="utf-8"), object_hook=Document)
    except ValueError as error:
        raise ValueError(f"{path} is not a readable JSON file: {error}") from error


def printable(text: str, longest: int = 2000) -> str:
    """Text from outside as a terminal may show it: control characters escaped but for line ends, cut where too long."""
    shown = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= longest else f"{shown[:longest]}…"


def _told(error: ValueError | OSError) -> str:
    if not isinstance(error, FileNotFoundError):
        return str(error)
    missing = error.filename or str(error).removeprefix("No such file or directory: ")  # as safetensors says it
    made = str(missing).startswith(("data/", "plots/")) and not str(missing).endswith("params.yaml")
    return f"{missing} is not there" + ("; `dvc repro` runs the stages that make it" if made else "")


def _put(partial: Path, path: Path) -> None:
    if path.is_dir():  # which nothing can be moved onto
        old = path.with_name(f".{path.name}.old.partial")
        _remove(old)
        path.replace(old)
        partial.replace(path)
        _remove(old)
    else:
        partial.replace(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
