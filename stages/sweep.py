"""Train the SAEs of one cell of the sweep, every k and seed of it together, into data/sae/sweep/CELL/k=K/seed=S."""

from pathlib import Path

from sbw.params import Params
from sbw.run.outputs import whole_folder
from sbw.run.stage import one_of, run


def main(params: Params, cell: str) -> None:
    sweep = params.sweep.only(one_of("cell", cell, list(params.sweep.cells)))

    from sbw.lockstep.toys import train_planned
    from sbw.saes.experiments.grid import plan
    from sbw.toy.model import load_toy

    toy = load_toy(Path("data/toy", sweep.toy))
    with whole_folder(Path("data/sae/sweep", cell)) as folder:
        planned = plan(sweep, params.training, toy)
        train_planned(planned, params.training, lambda sae: folder / sae.folder, f"sweep {cell}")


if __name__ == "__main__":
    run(main, __doc__, cell="name of the cell in `sweep.cells`")
