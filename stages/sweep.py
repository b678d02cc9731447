"""Train the SAEs of one k of the sweep, all seeds together, into data/sae/sweep/k=K/seed=S."""

from pathlib import Path

from sbw.params import Params
from sbw.run.outputs import whole_folder
from sbw.run.stage import one_of, run


def main(params: Params, value: str) -> None:
    ks = {f"{k:g}": k for k in params.sweep.ks}
    sweep = params.sweep.model_copy(update={"ks": [ks[one_of("k", value, list(ks))]]})

    from sbw.lockstep.toys import train_cells
    from sbw.saes.experiments.grid import cells
    from sbw.toy.model import load_toy

    toy = load_toy(Path("data/toy", sweep.toy))
    with whole_folder(Path(f"data/sae/sweep/k={value}")) as folder:
        train_cells(
            cells(sweep, params.training, toy),
            params.training,
            lambda cell: folder / f"seed={cell.keys['seed']}",
            f"sweep k={value}",
        )


if __name__ == "__main__":
    run(main, __doc__, k="value of `sweep.ks`")
