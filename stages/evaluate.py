"""Measure the SAEs of a training stage: tables in data/metrics/STAGE, and for the SAE in focus data/metrics.json."""

from pathlib import Path

from sbw.params import Params
from stages.cli import one_of, run, whole, whole_folder, write_json


def main(params: Params, stage: str) -> None:
    one_of("stage", stage, ["train"])

    import pandas as pd

    from sbw.evaluation import (
        COSINES,
        PROJECTIONS,
        SAES,
        TrainedSAE,
        cosine_rows,
        headline,
        load_sae,
        projection_rows,
        sae_row,
    )
    from sbw.tables import save_table
    from sbw.toy import load_sample, load_toy

    toy_name = params.train.toy
    toy = load_toy(Path("data/toy", toy_name))
    sample = load_sample(toy, Path("data/toy", toy_name))
    trained = TrainedSAE(load_sae(Path("data/sae", stage)), stage, toy_name, params.train.seed)
    row = sae_row(trained, toy, sample)
    projections = projection_rows(trained, sample)
    summary = headline(row, projections, params.evaluate.n)
    with whole_folder(Path("data/metrics", stage)) as folder, whole(Path("data/metrics.json")) as metrics:
        save_table(pd.DataFrame([row]), SAES, folder / "saes.parquet")
        save_table(projections, PROJECTIONS, folder / "projections.parquet")
        save_table(cosine_rows(trained, toy), COSINES, folder / "cosines.parquet")
        write_json(summary, metrics)
    print(", ".join(f"{name} {value:.4g}" for name, value in summary.items()))


if __name__ == "__main__":
    run(main, __doc__, stage="training stage whose SAEs to measure: train")
