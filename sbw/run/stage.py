"""Runs a stage: its command line, its params, and one-line errors."""

import argparse
import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sbw.params import Llm, Params, Validation
from sbw.run.errors import UserError, printable
from sbw.run.lifetime import end_with_dvc
from sbw.run.loading import load_document
from sbw.run.writers import writer_of

FILES: dict[type[Params | Llm | Validation], Path] = {
    Params: Path("params.yaml"),
    Llm: Path("stages/llm/params.yaml"),
    Validation: Path("stages/validation/params.yaml"),
}
"""The params of each pipeline."""


def run(
    main: Callable[..., None], description: str | None, kind: type[Params | Llm | Validation] = Params, **arguments: str
) -> None:
    """Run a stage: parse its positional `arguments` (name: help), check its params, then call `main(params, *values)`.

    Ends as `one_line_errors` does. `main` imports torch and SAELens itself, so that a bad file of params is refused in
    half a second.
    """
    end_with_dvc()
    gc.set_threshold(100_000)  # importing SAELens makes many objects and no garbage: a tenth of its time
    spec = sys.modules["__main__"].__spec__
    parser = argparse.ArgumentParser(prog=f"python -m {spec.name}" if spec else None, description=description)
    for name, meaning in arguments.items():
        parser.add_argument(name, help=meaning)
    values = vars(parser.parse_args()).values()
    with one_line_errors(parser.prog):
        main(load_document(kind, FILES[kind]), *values)


@contextmanager
def one_line_errors(prog: str) -> Iterator[None]:
    """End the program in one line that begins with its name, if the block raises a UserError, an error of a file
    (missing, full, no permission) or Ctrl-C; anything else is a fault of ours and keeps its traceback.
    """
    try:
        yield
        sys.stdout.flush()  # Python's own, at the end, would not end in one line
    except UserError as error:
        sys.exit(printable(f"{prog}: {error}"))
    except BrokenPipeError:  # as in `| head`: what Python still has to print at the end goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            raise
        sys.exit(printable(f"{prog}: {_of_a_file(error)}"))
    except KeyboardInterrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        sys.exit(130)  # as in shells


def one_of(name: str, value: str, allowed: list[str]) -> str:
    """`value`, or a UserError that lists the allowed values."""
    if value not in allowed:
        raise UserError(f"`{name}` must be one of: {', '.join(allowed)}, got {value!r}")
    return value


def _of_a_file(error: OSError) -> str:
    if not isinstance(error, FileNotFoundError):
        return f"{error.filename}: {error.strerror}"
    stage = writer_of(error.filename)
    return f"{error.filename}: not found" + (f"; `dvc repro {stage}` makes it" if stage else "")
