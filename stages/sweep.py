"""Train the SAEs of one k of the sweep, all seeds together, into data/sae/sweep/k=K/seed=S."""

from pathlib import Path

from sbw.params import Params
from sbw.run.outputs import whole_folder
from sbw.run.stage import number_of, run


def main(params: Params, value: str) -> None:
    sweep = params.sweep.model_copy(update={"ks": [number_of("k", value, params.sweep.ks)]})

    from sbw.files import folder_of
    from sbw.lockstep.toys import train_cells
    from sbw.saes.experiments.grid import cells
    from sbw.toy.model import load_toy

    toy = load_toy(Path("data/toy", sweep.toy))
    of_k = folder_of({"k": sweep.ks[0]})
    with whole_folder(Path("data/sae/sweep", of_k)) as folder:
        train_cells(
            cells(sweep, params.training, toy),
            params.training,
            lambda cell: folder / folder_of({"seed": cell.keys["seed"]}),
            f"sweep {of_k}",
        )


if __name__ == "__main__":
    run(main, __doc__, k="value of `sweep.ks`")
