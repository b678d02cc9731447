"""Train a sweep of L0 on each of some toys whose L0 is known: SAEs in data/validation/saes/CELL/TOY."""

from functools import partial
from pathlib import Path
from typing import Any

from sbw.params import Validation
from sbw.run.outputs import whole_folder
from sbw.run.stage import one_of, run


def main(params: Validation, name: str) -> None:
    cell = params.cells[one_of("cell", name, list(params.cells))]

    from sbw.run.processes import map_processes
    from sbw.synthesis.prior import toys_of

    with whole_folder(Path("data/validation/saes", name)) as folder:
        train = partial(train_on, params, params.sets[cell.set].sweep, folder)
        map_processes(train, toys_of(params, cell), label=name, unit="toy")


def train_on(params: Validation, sweep: Any, folder: Path, known: Any) -> None:
    """Train a sweep on one toy, each SAE into its folder."""
    from sbw.lockstep.toys import train_planned
    from sbw.saes.experiments.known import plan

    planned = plan(sweep, known, *known.build(params.synthesize))
    train_planned(planned, known.training, lambda sae: Path(folder, known.name, sae.folder), known.name)


if __name__ == "__main__":
    run(main, __doc__, Validation, cell="name of the cell in `cells`")
