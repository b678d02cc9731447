"""What is recommended on each toy of stages/validation/params.yaml, in data/metrics/validation, and how good it is."""

from pathlib import Path

from sbw.params import Params, Validation, load_document
from stages.cli import run, whole, whole_folder, write_json

PARAMS, OUT = Path("stages/validation/params.yaml"), Path("data/metrics")


def main(_: Params) -> None:
    params = load_document(PARAMS, Validation)

    import pandas as pd

    from sbw.tables import load_table, save_table
    from sbw.validation import RECOMMENDED, recommended, scores

    tables = []
    for name, toy in params.toys.items():
        saes, projections, stability = (
            load_table(Path("data/validation", name, f"{table}.parquet"))
            for table in ("saes", "projections", "stability")
        )
        found = recommended(saes, projections, stability, params.synthesize.seed)
        tables.append(found.assign(toy=name, set=toy.set))
    table = pd.concat(tables)[RECOMMENDED.names]
    document = scores(table)
    with whole_folder(OUT / "validation") as folder, whole(OUT / "validation.json") as path:
        save_table(table, RECOMMENDED, folder / "recommended.parquet")
        write_json(document, path)
    for name, methods in document.items():
        print(pd.DataFrame(methods).T.rename_axis(name).to_string())


if __name__ == "__main__":
    run(main, __doc__)
