"""Measure the SAEs of a training stage: tables in data/metrics/STAGE, and a few headline numbers in a JSON file."""

from pathlib import Path

from sbw.params import Params
from stages.cli import one_of, run, whole, whole_folder, write_json


def main(params: Params, stage: str, summary: str) -> None:
    one_of("stage", stage, ["train", "sweep"])

    from sbw.evaluation import COSINES, PROJECTIONS, SAES, Subject, evaluate, headline, sweep_headline
    from sbw.saes import load_sae, true_sae
    from sbw.tables import save_table
    from sbw.toy import load_sample, load_toy

    section = params.sweep if stage == "sweep" else params.train
    toy = load_toy(Path("data/toy", section.toy))
    sample = load_sample(toy, Path("data/toy", section.toy))
    if stage == "train":
        subjects = [Subject(load_sae(Path("data/sae/train")), stage, section.toy, params.train.seed)]
    else:
        subjects = [
            Subject(load_sae(Path(f"data/sae/sweep/k={k:g}/seed={seed}")), stage, section.toy, seed)
            for k in params.sweep.ks
            for seed in params.sweep.seeds
        ]
        subjects += [Subject(true_sae(k, toy.features), stage, section.toy) for k in params.sweep.ks]
    tables = evaluate(subjects, toy, sample)
    numbers = (headline if stage == "train" else sweep_headline)(tables, params.evaluate.n)
    with whole_folder(Path("data/metrics", stage)) as folder, whole(Path(summary)) as path:
        save_table(tables.saes, SAES, folder / "saes.parquet")
        save_table(tables.projections, PROJECTIONS, folder / "projections.parquet")
        save_table(tables.cosines, COSINES, folder / "cosines.parquet")
        write_json(numbers, path)
    print(", ".join(f"{name} {value:.4g}" for name, value in numbers.items()))


if __name__ == "__main__":
    run(main, __doc__, stage="training stage whose SAEs to measure: train or sweep", summary="JSON file to write")
