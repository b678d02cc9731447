"""Inspect the trained SAEs in the model: L0 per token, loss, and a task, into data/llm/inspection."""

from pathlib import Path

from sbw.params import Llm
from sbw.run.outputs import whole, whole_folder, write_json
from sbw.run.stage import run

OUT = Path("data/llm")


def main(llm: Llm) -> None:
    from transformers import AutoModelForCausalLM

    from sbw.files import save_table
    from sbw.llm.activations import first_contexts, open_store
    from sbw.llm.inspection import L0, VARIANTS, Task, l0_histogram, own_loss, variants
    from sbw.llm.model import load_model
    from sbw.saes.disk import load_sae

    size = llm.evals.batch_size
    model = load_model(OUT / "model", llm.model_class, llm.dtype, llm.device)
    store = open_store(model, OUT / "corpus/held_out", llm.hook, llm.context_size, size)
    contexts = first_contexts(store, size * llm.inspect.batches, "inspect.batches")
    saes = {name: load_sae(OUT / "sae" / name).to(model.cfg.device) for name in llm.train.saes}
    histogram = l0_histogram(saes, model, contexts, size)
    found = variants(saes, model, llm.hook, contexts, size, Task(llm.inspect.prompt, llm.inspect.answer))
    alone = AutoModelForCausalLM.from_pretrained(OUT / "model", dtype=model.cfg.dtype, use_safetensors=True)
    alone = alone.to(model.cfg.device)
    rows = found.assign(name=found["sae"].fillna(found["variant"])).set_index("name")
    numbers = {
        "ce_loss_by_transformers_alone": round(own_loss(alone, contexts, size), 4),
        "ce_loss": rows["ce_loss"].round(4).to_dict(),
        "answer_rank": rows["answer_rank"].to_dict(),
        "answer_probability": {name: float(f"{p:.4g}") for name, p in rows["answer_probability"].items()},
    }
    with whole_folder(OUT / "inspection") as folder, whole(Path("data/metrics/llm/inspect.json")) as path:
        save_table(histogram, L0, folder / "l0.parquet")
        save_table(found, VARIANTS, folder / "variants.parquet")
        write_json(numbers, path)
    print(found.to_string(index=False, float_format="%.4g"))
    print(f"transformers alone: {numbers['ce_loss_by_transformers_alone']}")


if __name__ == "__main__":
    run(main, __doc__, Llm)
