"""Score the verdict and the common practice on toys whose L0 is known: data/metrics/validation and validation.json."""

from pathlib import Path
from typing import Any

from sbw.params import Validation
from sbw.run.outputs import whole, whole_folder, write_json
from sbw.run.stage import run

MEASURED, OUT = Path("data/validation/measured"), Path("data/metrics")


def main(params: Validation) -> None:
    import pandas as pd

    from sbw.files import save_table
    from sbw.synthesis.prior import toys_of
    from sbw.verdict.offsets import Score, load_rule
    from sbw.verdict.trials import BEYOND, RECOMMENDED, alone_scores, beyond_scores, scores, sweeps_of, tried

    alone = Score.of(load_rule()["alone"])
    noisy = {
        known.name: known.toy.noise is not None for cell in params.cells.values() for known in toys_of(params, cell)
    }
    tables, document = [], dict[str, Any]()
    for name in params.tested_on:
        sweeps = sweeps_of(params, name, MEASURED)
        table = tried(sweeps, name)
        table = table.assign(noisy=table["toy"].map(noisy))
        parts = {"all": table, "noisy": table[table["noisy"]], "clean": table[~table["noisy"]]}
        parts |= {str(part): rows for part, rows in table.groupby("range")}
        document[name] = {part: scores(rows) for part, rows in parts.items()}
        document[name]["alone"] = alone_scores(sweeps, alone)
        document[name]["beyond"] = beyond_scores(sweeps_of(params, name, MEASURED, BEYOND))
        tables.append(table)
        print(pd.DataFrame(document[name]["all"]).T.rename_axis(name).drop(columns="worse_by").to_string())
        for part in ("alone", "beyond"):
            print(f"{part}: {document[name][part]}")
    with whole_folder(OUT / "validation") as folder, whole(OUT / "validation.json") as path:
        save_table(pd.concat(tables)[RECOMMENDED.names], RECOMMENDED, folder / "recommended.parquet")
        write_json(document, path)


if __name__ == "__main__":
    run(main, __doc__, Validation)
