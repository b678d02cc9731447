"""Mistakes of a user's, files that cannot be read, and text from outside as a terminal may show it."""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class UserError(Exception):
    """A mistake of the user's, which ends a command in one line; the message names the key or the file."""


@contextmanager
def reading(path: Path, form: str) -> Iterator[None]:
    """Name `path`, which should be a readable `form`, as the cause of all that a library raises while it reads it.

    Raises:
        OSError: a file is missing or may not be read; `filename` says which.
        UserError: it is no readable `form`.
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
    """The error that says that there is no file or folder `path`."""
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))


def require_finite(tensors: Mapping[str, Any], path: Path) -> None:
    """Refuse what was read of `path`, if one of the tensors has a value that is not finite.

    Raises:
        UserError: one has; the message names it.
    """
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise UserError(f"{path} holds NaN or Inf in `{name}`")


def printable(text: str, longest: int = 2000) -> str:
    """Text from outside as a terminal may show it: control characters escaped but for line ends, cut where too long."""
    shown = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= longest else f"{shown[:longest]}…"
