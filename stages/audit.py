"""Measure the decoders of the SAEs in a folder, and judge which L0 is right per family: data/metrics/audit."""

from pathlib import Path

from sbw.params import Params
from sbw.run.outputs import whole_folder
from sbw.run.stage import run


def main(params: Params) -> None:
    from sbw.auditing.audit import audit

    found = audit(params.audit.folder, hub=params.audit.hub, seed=params.recommend.seed)
    with whole_folder(Path("data/metrics/audit")) as folder:
        found.save(folder)
    print(found.words)


if __name__ == "__main__":
    run(main, __doc__)
