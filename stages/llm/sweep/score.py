"""Means of the probes over datasets, with intervals: data/llm/probing/scores.parquet, data/metrics/llm/probing.json."""

from pathlib import Path

from sbw.params import Llm
from sbw.run.outputs import whole, write_json
from sbw.run.stage import run

OUT = Path("data/llm")


def main(llm: Llm) -> None:
    import pandas as pd

    from sbw.files import load_table, save_table
    from sbw.llm.scores import SCORES, probe_scores, scores_summary
    from sbw.llm.sweep import load_measured

    probes = pd.concat([load_table(OUT / f"probing/saes/{cell}.parquet") for cell in llm.sweep.cells])
    (saes,) = load_measured(OUT / "sweep/measured", llm.sweep.cells, "saes")
    table = probe_scores(probes, load_table(OUT / "probing/baseline.parquet"), saes, llm.recommend.seed)
    with whole(OUT / "probing/scores.parquet") as path, whole(Path("data/metrics/llm/probing.json")) as numbers:
        save_table(table, SCORES, path)
        write_json(scores_summary(table), numbers)
    print(table.to_string(index=False, float_format="%.4g"))


if __name__ == "__main__":
    run(main, __doc__, Llm)
