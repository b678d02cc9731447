"""Measure the SAEs of one k of `sweep` on held-out texts: tables in data/llm/sweep/measured/k=K."""

from pathlib import Path

from sbw.params import Llm
from sbw.run.outputs import whole_folder
from sbw.run.stage import number_of, run

OUT = Path("data/llm")


def main(llm: Llm, value: str) -> None:
    k = number_of("k", value, llm.sweep.ks)

    from sbw.files import folder_of, save_table
    from sbw.llm.activations import load_activations
    from sbw.llm.evals import evaluate_saes
    from sbw.llm.measuring import SCHEMAS, measure, with_evals
    from sbw.llm.model import load_model
    from sbw.llm.sweep import SweptSae
    from sbw.pretrained.listed import Listed

    saes, swept = OUT / "sweep/sae", [SweptSae(k, seed) for seed in llm.sweep.seeds]
    tables = measure(swept, saes, load_activations(OUT / "sweep/held_out"), llm.sweep.groups, llm.sweep.bins)
    model = load_model(OUT / "model", llm.model_class, llm.dtype)
    listed = [Listed(sae.name, saes / sae.name, None) for sae in swept]
    evals, _ = evaluate_saes(listed, model, OUT / "corpus/held_out", llm.context_size, llm.sweep.evals)
    tables["saes"] = with_evals(tables["saes"], evals)
    with whole_folder(OUT / "sweep/measured" / folder_of({"k": k})) as folder:
        for name, schema in SCHEMAS.items():
            save_table(tables[name], schema, folder / f"{name}.parquet")
    print(tables["saes"].drop(columns=["d_in", "d_sae"]).to_string(index=False, float_format="%.4g"))


if __name__ == "__main__":
    run(main, __doc__, Llm, k="value of `sweep.ks`")
