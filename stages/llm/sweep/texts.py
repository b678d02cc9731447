"""Write the page of what latents fire on at a too low, right and too high L0, plots/llm_sweep_texts.html."""

from pathlib import Path

from sbw.files import read_json
from sbw.params import Llm
from sbw.run.outputs import whole
from sbw.run.stage import run

OUT = Path("data/llm")


def main(llm: Llm) -> None:
    from sbw.llm.activations import first_contexts, open_store
    from sbw.llm.model import load_model
    from sbw.llm.sweep import SweptSae, load_measured, recommended
    from sbw.llm.texts import Column, read_texts, texts_page
    from sbw.llm.wheel import label
    from sbw.saes.disk import load_sae

    shown, size = llm.sweep.texts, llm.harvest.batch_size
    verdict = recommended(read_json(Path("data/metrics/llm/recommendation.json")))
    (saes,) = load_measured(OUT / "sweep/measured", llm.sweep.cells, "saes")
    columns = []
    for k in sorted(shown.ks):
        row = saes[saes["k"] == k].iloc[0]
        name = ": ".join(filter(None, [f"L0 {row['l0']:.3g}", verdict.place_of(row["l0"])]))
        sae = OUT / "sweep/sae" / llm.sweep.cell_of(k) / SweptSae(k, int(row["seed"])).name
        columns.append(Column(name, load_sae(sae)))
    model = load_model(OUT / "model", llm.model_class, llm.dtype, llm.device)
    store = open_store(model, OUT / "corpus/held_out", llm.hook, llm.context_size, size)
    texts = read_texts(model, llm.hook, first_contexts(store, shown.contexts, "sweep.texts.contexts"), size)
    title = f"What latents at {llm.hook} of {label(llm.model)} fire on, by L0"
    html = texts_page(columns, texts, model.tokenizer, title,
                      latents=shown.latents, examples=shown.examples, margin=shown.margin)  # fmt: skip
    with whole(Path("plots/llm_sweep_texts.html")) as path:
        path.write_text(html, encoding="utf-8")


if __name__ == "__main__":
    run(main, __doc__, Llm)
