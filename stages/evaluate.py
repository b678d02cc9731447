"""Measure the SAEs of a training stage: tables in data/metrics/STAGE, and a few headline numbers in a JSON file."""

from pathlib import Path

from sbw.params import Params
from sbw.run.outputs import whole, whole_folder, write_json
from sbw.run.stage import one_of, run


def main(params: Params, stage: str, summary: str) -> None:
    one_of("stage", stage, ["train", "sweep"])

    from sbw.metrics.tables import Subject, evaluate, headline, save_tables, sweep_headline
    from sbw.saes.disk import load_sae
    from sbw.saes.experiments.grid import cells
    from sbw.saes.untrained import true_sae
    from sbw.toy.model import load_sample, load_toy

    section = params.sweep if stage == "sweep" else params.train
    toy = load_toy(Path("data/toy", section.toy))
    if stage == "train":
        sae = load_sae(Path("data/sae/train"))
        keys = {"k": sae.cfg.metadata.training_architecture_details["k"], "seed": params.train.seed}
        subjects = [Subject(sae, stage, section.toy, keys)]
    else:
        subjects = [
            Subject(load_sae(Path("data/sae/sweep", cell.folder)), stage, section.toy, cell.keys)
            for cell in cells(params.sweep, params.training, toy)
        ]
        subjects += [Subject(true_sae(k, toy.features), stage, section.toy, {"k": k}) for k in params.sweep.ks]
    sample = load_sample(toy, Path("data/toy", section.toy))
    tables = evaluate(subjects, toy, sample, params.evaluate.bins)
    numbers = (headline if stage == "train" else sweep_headline)(tables, params.evaluate.n)
    with whole_folder(Path("data/metrics", stage)) as folder, whole(Path(summary)) as path:
        save_tables(tables, folder)
        write_json(numbers, path)
    print(", ".join(f"{name} {value:.4g}" for name, value in numbers.items()))


if __name__ == "__main__":
    run(main, __doc__, stage="training stage whose SAEs to measure: train or sweep", summary="JSON file to write")
