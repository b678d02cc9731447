"""Probe the activations themselves, in data/llm/probing/baseline.parquet."""

from pathlib import Path

from sbw.params import Llm
from sbw.run.outputs import whole
from sbw.run.stage import run

OUT = Path("data/llm/probing")


def main(llm: Llm) -> None:
    from sbw.files import save_table
    from sbw.llm.probing import BASELINE, baseline, over_datasets

    probing = llm.probing
    rows = over_datasets(
        lambda split: [baseline(split, probing.seed)], probing.datasets, OUT / "activations", probing.seed, "baseline"
    )
    with whole(OUT / "baseline.parquet") as path:
        save_table(rows[BASELINE.names], BASELINE, path)
    print(rows.drop(columns="dataset").mean().to_string(float_format="%.4g"))


if __name__ == "__main__":
    run(main, __doc__, Llm)
