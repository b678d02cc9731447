"""Harvest the activations on held-out texts, to measure the SAEs of the sweep on, into data/llm/sweep/held_out."""

from pathlib import Path

from sbw.params import Llm
from sbw.run.errors import UserError
from sbw.run.outputs import whole_folder
from sbw.run.stage import run

OUT = Path("data/llm")


def main(llm: Llm) -> None:
    from sbw.llm.activations import harvest, open_store, tokenise
    from sbw.llm.model import load_model

    size, wanted = llm.harvest.batch_size, llm.sweep.contexts
    model = load_model(OUT / "model", llm.model_class, llm.dtype, llm.device)
    store = open_store(model, OUT / "corpus/held_out", llm.hook, llm.context_size, size)
    with whole_folder(OUT / "sweep/held_out") as folder:
        contexts = tokenise(store, folder, contexts=wanted)
        if (found := len(contexts.tokens)) < wanted:
            raise UserError(f"`sweep.contexts` must be at most {found}, all that the held-out texts have, got {wanted}")
        harvest(model, store, contexts, size, folder)
    print(f"{contexts.kept:,} tokens")


if __name__ == "__main__":
    run(main, __doc__, Llm)
