"""DVC's view of the project's pipelines."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dvc.repo import Repo

from tests.conftest import ROOT


@contextmanager
def every_pipeline() -> Iterator[Repo]:
    """DVC's view of the project's pipelines, all of them open."""
    with tempfile.TemporaryDirectory() as place:
        for path in [ROOT / "dvc.yaml", ROOT / "params.yaml", ROOT / ".dvcignore", *ROOT.glob("stages/**/*.yaml")]:
            copy = Path(place, path.relative_to(ROOT))
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
        Path(place, "stages/.dvcignore").write_text("!/llm\n!/validation\n")
        Path(place, ".dvc").mkdir()
        Path(place, ".dvc/config").write_text("[core]\n    no_scm = true\n")
        with Repo(place) as repo:
            yield repo
