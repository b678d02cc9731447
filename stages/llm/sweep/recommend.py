"""Which L0 is right? A verdict in data/metrics/llm/recommendation.json, the sweep's numbers in sweep.json beside it."""

from pathlib import Path

from sbw.params import Llm
from sbw.run.outputs import whole, whole_folder, write_json
from sbw.run.stage import run

OUT, METRICS = Path("data/llm/sweep"), Path("data/metrics/llm")


def main(llm: Llm) -> None:
    import pandas as pd

    from sbw.files import folder_of, load_table, save_table
    from sbw.llm.sweep import headline
    from sbw.verdict.recommendation import CURVES, SENSITIVITY, recommend

    folders = [OUT / "measured" / folder_of({"k": k}) for k in llm.sweep.ks]
    saes, projections, stability = (
        pd.concat([load_table(folder / f"{name}.parquet") for folder in folders], ignore_index=True)
        for name in ("saes", "projections", "stability")
    )
    found = recommend(saes, projections, stability, seed=llm.recommend.seed)
    with (
        whole_folder(OUT / "recommendation") as folder,
        whole(METRICS / "recommendation.json") as verdict,
        whole(METRICS / "sweep.json") as numbers,
    ):
        save_table(found.curves, CURVES, folder / "curves.parquet")
        save_table(found.sensitivity, SENSITIVITY, folder / "sensitivity.parquet")
        write_json(found.document, verdict)
        write_json({"saes": headline(saes, stability)}, numbers)
    print(found.words)


if __name__ == "__main__":
    run(main, __doc__, Llm)
