"""Harvest the activations on held-out texts, to measure the SAEs of the sweep on, into data/llm/sweep/held_out."""

from pathlib import Path

from sbw.params import Llm
from sbw.run.outputs import whole_folder
from sbw.run.stage import run

OUT = Path("data/llm")


def main(llm: Llm) -> None:
    from sbw.llm.activations import harvest, open_store, tokens_in
    from sbw.llm.model import load_model, special_tokens

    size = llm.harvest.batch_size
    model = load_model(OUT / "model", llm.model_class, llm.dtype)
    looked_at, run_on = (open_store(model, OUT / "corpus/held_out", llm.hook, llm.context_size, size) for _ in range(2))
    tokens = tokens_in(looked_at, special_tokens(model).cpu(), llm.sweep.contexts)
    with whole_folder(OUT / "sweep/held_out") as folder:
        harvest(model, run_on, tokens, size, folder)
    print(f"{tokens:,} tokens")


if __name__ == "__main__":
    run(main, __doc__, Llm)
