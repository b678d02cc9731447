"""Measure the SAEs of an experiment of params.yaml's `experiments`: tables in data/metrics/experiments/NAME."""

from importlib import import_module
from pathlib import Path

from sbw.params import Params
from sbw.params.training import Mixing
from sbw.run.outputs import whole_folder
from sbw.run.stage import one_of, run


def main(params: Params, name: str) -> None:
    experiment = params.experiments[one_of("experiment", name, list(params.experiments))]

    from sbw.files import save_table
    from sbw.metrics.mixing import MIXING, mixing_table
    from sbw.metrics.tables import Subject, evaluate, save_tables
    from sbw.saes.disk import load_sae
    from sbw.saes.untrained import true_sae
    from sbw.toy.model import load_sample, load_toy, true_l0

    toy = load_toy(Path("data/toy", experiment.toy))
    cells = import_module(f"sbw.saes.experiments.{experiment.kind}").cells(experiment, params.training, toy)
    saes = [(cell.keys, load_sae(Path("data/sae/experiments", name, cell.folder))) for cell in cells]
    sample = load_sample(toy, Path("data/toy", experiment.toy))
    if isinstance(experiment, Mixing):
        table = mixing_table(saes, toy.features, name, experiment.toy, true_l0(sample.feature_acts))
        with whole_folder(Path("data/metrics/experiments", name)) as folder:
            save_table(table, MIXING, folder / "mixing.parquet")
        return
    subjects = [Subject(sae, name, experiment.toy, keys) for keys, sae in saes]
    truths = {keys["k"]: true_sae(keys["k"], toy.features) for keys, _ in saes if "k" in keys}
    subjects += [Subject(sae, name, experiment.toy, {"k": k}) for k, sae in truths.items()]
    tables = evaluate(subjects, toy, sample, params.evaluate.bins)
    with whole_folder(Path("data/metrics/experiments", name)) as folder:
        save_tables(tables, folder)


if __name__ == "__main__":
    run(main, __doc__, experiment="name of the experiment in `experiments`")
