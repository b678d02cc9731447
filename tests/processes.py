"""Processes of the project that a test starts or finds."""

from pathlib import Path

# The arguments are stages, each with its own: SAELens is imported once for all.
IN_ONE_PROCESS = """
import runpy, sys
for stage in sys.argv[1:]:
    sys.argv = stage.split()
    try:
        runpy.run_module(f"stages.{sys.argv[0]}", run_name="__main__")
    except SystemExit as end:
        print(end.code)
"""


def working_in(folder: Path) -> list[int]:
    """The processes that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").resolve() == folder.resolve():
                found.append(int(process.name))
        except OSError:  # it has just ended
            continue
    return found
