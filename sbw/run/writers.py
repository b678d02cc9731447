"""Finds the stage that writes a file, in the pipelines in and below this folder."""

import os
import re
from pathlib import Path

from ruamel.yaml import YAML

from sbw.run.cluster.plan import outputs

_TEMPLATE = re.compile(r"\$\{[^}]*\}")


def writer_of(path: str) -> str | None:
    """The stage that writes `path` or a folder above it, as `dvc repro` takes it; None if no stage does.

    None as well outside a clone of this project: others' pipelines are theirs.
    """
    if not Path("stages/__init__.py").is_file():
        return None
    place = os.path.relpath(path)
    stages = [stage for stage, pattern in _written() if re.fullmatch(f"{pattern}(/.*)?", place)]
    return stages[0] if stages else None


def _written() -> list[tuple[str, str]]:
    """The stage and the pattern of the path of each output, the most specific pattern first."""
    found = []
    for pipeline in [*Path().glob("dvc.yaml"), *Path("stages").rglob("dvc.yaml")]:
        for name, entry in YAML(typ="safe").load(pipeline)["stages"].items():
            body, keys = entry.get("do", entry), entry.get("foreach", "")
            stage = name if pipeline == Path("dvc.yaml") else f"{pipeline}:{name}"
            one = "[^/]+" if isinstance(keys, str) else f"({'|'.join(map(re.escape, keys))})"
            for out in outputs(body):
                literal = _TEMPLATE.split(os.path.normpath(Path(pipeline.parent, body.get("wdir", ""), out)))
                if literal[0]:  # else it matches any path
                    found.append((-len("".join(literal)), stage, one.join(map(re.escape, literal))))
    return [(stage, pattern) for _, stage, pattern in sorted(found)]
