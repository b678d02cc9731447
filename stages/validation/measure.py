"""Measure the sweeps on toys whose L0 is known: tables in data/validation/measured/CELL."""

from functools import partial
from pathlib import Path
from typing import Any

from sbw.params import Validation
from sbw.run.outputs import whole_folder
from sbw.run.stage import one_of, run


def main(params: Validation, name: str) -> None:
    cell = params.cells[one_of("cell", name, list(params.cells))]

    import pandas as pd

    from sbw.files import save_table
    from sbw.metrics.tables import KNOWN_SAES, PROJECTIONS
    from sbw.run.processes import map_processes
    from sbw.synthesis.prior import toys_of

    measure = partial(measured, params, params.sets[cell.set].sweep, Path("data/validation/saes", name))
    tables = map_processes(measure, toys_of(params, cell), label=name, unit="toy")
    with whole_folder(Path("data/validation/measured", name)) as folder:
        save_table(pd.concat([of_toy.saes for of_toy in tables]), KNOWN_SAES, folder / "saes.parquet")
        save_table(pd.concat([of_toy.projections for of_toy in tables]), PROJECTIONS, folder / "projections.parquet")


def measured(params: Validation, sweep: Any, folder: Path, known: Any) -> Any:
    """The tables of the sweep on one toy."""
    from sbw.metrics.tables import Subject, evaluate
    from sbw.saes.disk import load_sae
    from sbw.saes.experiments.known import learnable_l0, plan

    toy, sample = known.build(params.synthesize)
    planned = plan(sweep, known, toy, sample)
    subjects = [Subject(load_sae(folder / known.name / one.folder), "validation", known.name, one.keys)
                for one in planned]  # fmt: skip
    tables = evaluate(subjects, toy, sample, bins=None)
    l0 = learnable_l0(sample.feature_acts, known.toy.latents)
    return tables._replace(saes=tables.saes.assign(learnable_l0=l0))


if __name__ == "__main__":
    run(main, __doc__, Validation, cell="name of the cell in `cells`")
