"""Write the tables behind the interactive plots to plots/series, as CSV."""

from pathlib import Path

from sbw.params import Params
from sbw.params.training import Mixing
from sbw.run.outputs import whole_folder
from sbw.run.stage import run

METRICS = Path("data/metrics")


def main(params: Params) -> None:
    from sbw.figures import series
    from sbw.files import load_table

    names = [name for name, section in params.experiments.items() if isinstance(section, Mixing)]
    mixing = {name: load_table(METRICS / "experiments" / name / "mixing.parquet") for name in names}
    saes = load_table(METRICS / "sweep/saes.parquet")
    tables = {
        "cosines": series.cosines(load_table(METRICS / "train/cosines.parquet")),
        "sweep": series.sweep(saes),
        "projections": series.projections(load_table(METRICS / "sweep/projections.parquet"), saes),
        "tradeoff": series.tradeoff(saes),
        "public": series.public(load_table(Path("data/pretrained/l0.parquet"))),
        **({"mixing": series.mixings(mixing)} if mixing else {}),
    }
    with whole_folder(Path("plots/series")) as folder:
        for name, table in tables.items():
            table.to_csv(folder / f"{name}.csv", index=False)


if __name__ == "__main__":
    run(main, __doc__)
