"""Which L0 is right? A verdict in data/metrics/llm/recommendation.json, the sweep's numbers in sweep.json beside it."""

from pathlib import Path

from sbw.params import Llm
from sbw.run.outputs import whole, whole_folder, write_json
from sbw.run.stage import run

OUT, METRICS = Path("data/llm/sweep"), Path("data/metrics/llm")


def main(llm: Llm) -> None:
    from sbw.llm.sweep import load_measured, sweep_summary
    from sbw.verdict.recommendation import recommend

    tables = load_measured(OUT / "measured", llm.sweep.cells, "saes", "projections", "stability")
    saes, projections, stability = tables
    found = recommend(saes, projections, stability, seed=llm.recommend.seed)
    with (
        whole_folder(OUT / "recommendation") as folder,
        whole(METRICS / "recommendation.json") as verdict,
        whole(METRICS / "sweep.json") as numbers,
    ):
        found.save(folder)
        write_json(found.document, verdict)
        write_json({"saes": sweep_summary(saes, stability)}, numbers)
    print(found.words)


if __name__ == "__main__":
    run(main, __doc__, Llm)
