"""Check that the folder to audit exists, before DVC reads it: DVC's error names neither the key nor a remedy."""

from pathlib import Path

from sbw.params import Params
from sbw.run.errors import UserError
from sbw.run.outputs import whole
from sbw.run.stage import run

MADE_BY_STAGES = ("data/sae/", "data/llm/")


def main(params: Params) -> None:
    folder = params.audit.folder
    if not folder.startswith(MADE_BY_STAGES) and not Path(folder).is_dir():
        raise UserError(
            f"`audit.folder`: {folder} not found in {Path.cwd()}; a queued run has a clone of its own: "
            f"give an absolute path, or `--copy-paths {folder}`"
        )
    with whole(Path("data/audit_folder")) as found:
        found.write_text(f"{folder}\n", encoding="utf-8")


if __name__ == "__main__":
    run(main, __doc__)
