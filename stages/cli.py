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

from sbw.params import load_params

PARAMS = Path("params.yaml")


def run(main: Callable[..., None], description: str | None, **arguments: str) -> None:
    """Run a stage: parse its positional `arguments` (name: help), check params.yaml, then call `main(params, *values)`.

    A user's mistake (a refused value, a file that is missing or unreadable) ends in one line on standard error and exit
    status 1; anything else is a fault of ours and keeps its traceback. `main` imports torch and SAELens itself, so that
    a bad params.yaml is refused in half a second.
    """
    gc.set_threshold(100_000)  # importing SAELens makes many objects and no garbage: a tenth of its time
    spec = sys.modules["__main__"].__spec__
    parser = argparse.ArgumentParser(prog=f"python -m {spec.name}" if spec else None, description=description)
    for name, meaning in arguments.items():
        parser.add_argument(name, help=meaning)
    values = vars(parser.parse_args()).values()
    try:
        main(load_params(PARAMS), *values)
    except (ValueError, OSError) as error:
        sys.exit(f"{parser.prog}: {error}")


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
        _remove(path)
        partial.replace(path)
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


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
