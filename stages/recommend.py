"""Recommend an L0 from the sweep: the verdict in data/metrics/recommendation.json, its evidence in tables beside it."""

from pathlib import Path

from sbw.params import Params
from sbw.run.outputs import whole, whole_folder, write_json
from sbw.run.stage import run

SWEEP, OUT = Path("data/metrics/sweep"), Path("data/metrics")


def main(params: Params) -> None:
    from sbw.files import load_table
    from sbw.verdict.recommendation import recommend

    saes, projections = (load_table(SWEEP / f"{name}.parquet") for name in ("saes", "projections"))
    saes, projections = (table[table["variant"] == "trained"] for table in (saes, projections))
    found = recommend(saes, projections, load_table(SWEEP / "stability.parquet"), seed=params.recommend.seed)
    with whole_folder(OUT / "recommendation") as folder, whole(OUT / "recommendation.json") as path:
        found.save(folder)
        write_json(found.document, path)
    print(found.words)


if __name__ == "__main__":
    run(main, __doc__)
