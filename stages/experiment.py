"""Train the SAEs of an experiment of params.yaml's `experiments` into data/sae/experiments/NAME."""

from importlib import import_module
from pathlib import Path

from sbw.params import Params
from sbw.run.outputs import whole_folder
from sbw.run.stage import one_of, run


def main(params: Params, name: str) -> None:
    experiment = params.experiments[one_of("experiment", name, list(params.experiments))]

    from sbw.lockstep.toys import train_planned
    from sbw.toy.model import load_toy

    toy = load_toy(Path("data/toy", experiment.toy))
    planned = import_module(f"sbw.saes.experiments.{experiment.kind}").plan(experiment, params.training, toy)
    with whole_folder(Path("data/sae/experiments", name)) as folder:
        train_planned(planned, params.training, lambda sae: folder / sae.folder, name)


if __name__ == "__main__":
    run(main, __doc__, experiment="name of the experiment in `experiments`")
