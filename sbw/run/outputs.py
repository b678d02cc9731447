"""Outputs that are complete or absent: written beside their place, and moved there when they are done."""

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from sbw.run.errors import UserError

_OF_THE_DISK = {errno.EACCES, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC, errno.EPERM, errno.EROFS}


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path beside `path` to write a file to; it becomes `path` if the block succeeds, else it is removed.

    Raises:
        UserError: the disk is full or not writable.
    """
    partial = _beside(path)
    try:
        with _refusing(path, partial):
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove(partial)
            yield partial
            _put(partial, path)
    finally:
        with suppress(OSError):  # which would hide the first one
            _remove(partial)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """As `whole`, for a folder, which is made empty."""
    with whole(path) as partial:
        partial.mkdir()
        yield partial


@contextmanager
def resumed_folder(path: Path, made_of: dict[str, Any]) -> Iterator[Path]:
    """As `whole_folder`, but what a run that failed or was killed has written is kept, and the next one begins with it.

    Args:
        path: the folder.
        made_of: all that its files depend on, as JSON has it, such as params and `stamps`; where the former run's
            differs, the folder is made empty.
    """
    partial, note = _beside(path), path.with_name(f".{path.name}.made_of.partial")
    with _refusing(path, partial):
        path.parent.mkdir(parents=True, exist_ok=True)
        wanted = json.dumps(made_of, indent=2)
        if not (partial.is_dir() and note.is_file() and note.read_text() == wanted):
            _remove(partial)
            partial.mkdir()
            note.write_text(wanted)
        yield partial
        _put(partial, path)
        _remove(note)


def stamps(*paths: Path) -> dict[str, list[int]]:
    """Size and time of change of files, and of all in folders that have a dot in their name: a new file has others."""
    files = [file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*.*")))]
    return {str(file): [file.stat().st_size, file.stat().st_mtime_ns] for file in files}


def write_json(document: dict[str, Any], path: Path) -> None:
    """Write a JSON file that reads well in a diff."""
    path.write_text(json.dumps(document, indent=2) + "\n")


@contextmanager
def _refusing(path: Path, partial: Path) -> Iterator[None]:
    """Name `path` where the disk refuses `partial`."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        cause = _refusal(error, partial)
        if cause:
            raise UserError(f"{path}: could not be written: {cause}") from error
        raise


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")


def _refusal(error: OSError | SafetensorError, partial: Path) -> str | None:
    # Libraries name no file, or a part of its path.
    number = re.search(r"(?:Errno|os error) (\d+)", str(error))
    of_another_file = getattr(error, "filename", None) and str(partial) not in str(error)
    return os.strerror(int(number[1])) if number and int(number[1]) in _OF_THE_DISK and not of_another_file else None


def _put(partial: Path, path: Path) -> None:
    if path.is_dir():  # nothing can be moved onto a folder
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
