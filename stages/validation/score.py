"""Score the recommendation on each toy whose L0 is known: data/metrics/validation and validation.json."""

from pathlib import Path
from typing import Any

from sbw.params import Validation
from sbw.run.outputs import whole, whole_folder, write_json
from sbw.run.stage import run

MEASURED, OUT = Path("data/validation"), Path("data/metrics")


def main(params: Validation) -> None:
    import pandas as pd

    from sbw.files import load_table, save_table
    from sbw.verdict.trials import RECOMMENDED, TRIED, method_scores, toy_summary, tried

    recommended, curves = [], []
    for toy, section in params.toys.items():
        saes, projections, stability = (
            load_table(MEASURED / toy / f"{table}.parquet") for table in ("saes", "projections", "stability")
        )
        found = tried(saes, projections, stability, params.synthesize.seed)
        known: dict[str, Any] = {"toy": toy, "like": params.like(toy), "set": section.set}
        known |= {"num_features": section.num_features, "d_sae": section.latents}
        recommended.append(found.recommended.assign(**known)[RECOMMENDED.names])
        curves.append(found.curves.assign(**known)[TRIED.names])
    table = pd.concat(recommended)
    document: dict[str, Any] = {
        "sets": method_scores(table),
        "toys": {str(toy): toy_summary(rows) for toy, rows in table.groupby("toy", sort=False)},
    }
    with whole_folder(OUT / "validation") as folder, whole(OUT / "validation.json") as path:
        save_table(table, RECOMMENDED, folder / "recommended.parquet")
        save_table(pd.concat(curves), TRIED, folder / "curves.parquet")
        write_json(document, path)
    for which, methods in document["sets"].items():
        print(pd.DataFrame(methods).T.rename_axis(which).to_string())
    for toy, of_toy in document["toys"].items():
        print(f"{toy}: {of_toy['words']}")


if __name__ == "__main__":
    run(main, __doc__, Validation)
