"""The error of a user's mistake, errors of files, and text from outside that is safe to print."""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class UserError(Exception):
    """A user's mistake, which ends a command in one line; the message names the key or the file."""


@contextmanager
def reading(path: Path, form: str) -> Iterator[None]:
    """Name `path`, which should be a `form`, in every error that a library raises while it reads it.

    Raises:
        OSError: a file is missing or not permitted to be read; `filename` names it.
        UserError: it is not a readable `form`.
    """
    try:
        yield
    except FileNotFoundError as error:  # safetensors and pyarrow name the file in the message alone
        missing = error.filename or str(error).removeprefix("No such file or directory: ")
        raise not_found(missing) from error
    except UserError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.filename:
            raise
        cause = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path} is not a readable {form}: {cause}") from error


def not_found(path: Path | str) -> FileNotFoundError:
    """The error for a missing file or folder `path`."""
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))


def require_finite(tensors: Mapping[str, Any], path: Path) -> None:
    """Refuse tensors read from `path` that are not finite, with a UserError that names the first."""
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise UserError(f"{path} holds NaN or Inf in `{name}`")


LONGEST = 2000
"""Characters of a text from outside that are shown."""


def printable(text: str) -> str:
    """Text from outside, safe for a terminal: control characters but line ends are escaped, long text is cut."""
    shown = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"
