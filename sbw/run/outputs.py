"""Outputs that are whole or not there: written beside their place, and moved into it when they are done."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


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
