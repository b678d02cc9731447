"""Measure the SAEs of one cell of `sweep` on held-out texts: tables in data/llm/sweep/measured/CELL."""

from pathlib import Path

from sbw.params import Llm
from sbw.run.outputs import whole_folder
from sbw.run.stage import one_of, run

OUT = Path("data/llm")


def main(llm: Llm, cell: str) -> None:
    ks = llm.sweep.cells[one_of("cell", cell, list(llm.sweep.cells))]

    from sbw.files import save_table
    from sbw.llm.evals import evaluate_saes
    from sbw.llm.measuring import SCHEMAS, measure, with_evals
    from sbw.llm.model import load_model
    from sbw.llm.shards import Shards
    from sbw.llm.sweep import swept
    from sbw.lockstep.device import pick_device
    from sbw.pretrained.listed import Listed

    folder, saes = OUT / "sweep/sae" / cell, swept(ks, llm.sweep.seeds)
    x = Shards(OUT / "sweep/held_out").all()
    tables = measure(saes, folder, x, llm.sweep.groups, llm.sweep.bins, pick_device(llm.device))
    model = load_model(OUT / "model", llm.model_class, llm.dtype, llm.device)
    listed = [Listed(sae.name, folder / sae.name, None) for sae in saes]
    evals, _ = evaluate_saes(listed, model, OUT / "corpus/held_out", llm.context_size, llm.sweep.evals)
    tables["saes"] = with_evals(tables["saes"], evals)
    with whole_folder(OUT / "sweep/measured" / cell) as out:
        for name, schema in SCHEMAS.items():
            save_table(tables[name], schema, out / f"{name}.parquet")
    print(tables["saes"].drop(columns=["d_in", "d_sae"]).to_string(index=False, float_format="%.4g"))


if __name__ == "__main__":
    run(main, __doc__, Llm, cell="name of the cell in `sweep.cells`")
