"""Measure the SAEs of `train`, `sweep` or an experiment: tables in data/metrics, for the first two a summary in git."""

from importlib import import_module
from pathlib import Path
from typing import Any

from sbw.params import Params
from sbw.params.training import Mixing
from sbw.run.outputs import whole, whole_folder, write_json
from sbw.run.stage import one_of, run

SUMMARIES = {"train": Path("data/metrics.json"), "sweep": Path("data/sweep.json")}


def main(params: Params, name: str) -> None:
    one_of("name", name, [*SUMMARIES, *params.experiments])
    section = params.experiments.get(name) or getattr(params, name)

    from sbw.files import save_table
    from sbw.metrics.mixing import MIXING, mixing_table
    from sbw.metrics.tables import Subject, evaluate, headline, save_tables, sweep_headline
    from sbw.saes.untrained import true_sae
    from sbw.toy.model import load_sample, load_toy, true_l0

    toy, place = load_toy(Path("data/toy", section.toy)), Path(name if name in SUMMARIES else f"experiments/{name}")
    sample, saes = load_sample(toy, Path("data/toy", section.toy)), saes_of(params, name, toy, Path("data/sae", place))
    if isinstance(section, Mixing):
        table = mixing_table(saes, toy.features, name, section.toy, true_l0(sample.feature_acts))
        with whole_folder(Path("data/metrics", place)) as folder:
            save_table(table, MIXING, folder / "mixing.parquet")
        return
    ks = {keys["k"] for keys, _ in saes if "k" in keys and name != "train"}
    truths = [({"k": k}, true_sae(k, toy.features)) for k in sorted(ks)]
    subjects = [Subject(sae, name, section.toy, keys) for keys, sae in saes + truths]
    tables = evaluate(subjects, toy, sample, params.evaluate.bins)
    with whole_folder(Path("data/metrics", place)) as folder:
        save_tables(tables, folder)
        if name in SUMMARIES:
            numbers = (headline if name == "train" else sweep_headline)(tables, params.evaluate.n)
            with whole(SUMMARIES[name]) as path:
                write_json(numbers, path)
            print(", ".join(f"{key} {value:.4g}" for key, value in numbers.items()))


def saes_of(params: Params, name: str, toy: Any, folder: Path) -> list[tuple[dict[str, float], Any]]:
    """The SAEs of a section of the params, from their folder, each with its keys in tables."""
    from sbw.saes.disk import load_sae
    from sbw.saes.experiments.grid import plan

    if name == "train":
        sae = load_sae(folder)
        return [({"k": sae.cfg.metadata.training_architecture_details["k"], "seed": params.train.seed}, sae)]
    if name == "sweep":
        planned = [
            (sae.keys, folder / cell / sae.folder)
            for cell in params.sweep.cells
            for sae in plan(params.sweep.only(cell), params.training, toy)
        ]
    else:
        experiment = params.experiments[name]
        kind = import_module(f"sbw.saes.experiments.{experiment.kind}")
        planned = [(sae.keys, folder / sae.folder) for sae in kind.plan(experiment, params.training, toy)]
    return [(keys, load_sae(place)) for keys, place in planned]


if __name__ == "__main__":
    run(main, __doc__, name="train, sweep, or the name of an experiment in `experiments`")
