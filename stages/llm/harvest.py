"""Harvest the model's activations on the training texts into data/llm/activations, shard by shard."""

import time
from pathlib import Path

from sbw.params import Llm
from sbw.run.errors import UserError
from sbw.run.outputs import resumed_folder, stamps
from sbw.run.stage import run

MODEL, CORPUS = Path("data/llm/model"), Path("data/llm/corpus/train")


def main(llm: Llm) -> None:
    from sbw.llm import activations
    from sbw.llm.model import load_model, require_hook, width_at

    wanted = llm.harvest
    model = load_model(MODEL, llm.model_class, llm.dtype, llm.device)
    require_hook(model, llm.hook, "hook")
    on = [str(model.cfg.device), str(model.cfg.dtype)]
    read = [llm.context_size, llm.hook, llm.model_class, wanted.tokens, wanted.batch_size]
    made_of = {
        "params": read,
        "on": on,
        "files": stamps(MODEL, CORPUS, *Path(activations.__file__).parent.glob("*.py")),
    }
    begun = time.perf_counter()
    with resumed_folder(Path("data/llm/activations"), made_of) as folder:
        activations.require_room(wanted.tokens, width_at(model, llm.hook), model.cfg.dtype, wanted.disk, folder)
        store = activations.open_store(model, CORPUS, llm.hook, llm.context_size, wanted.batch_size)
        contexts = activations.tokenise(store, folder, tokens=wanted.tokens)
        if contexts.kept < wanted.tokens:
            raise UserError(f"`harvest.tokens` must be at most {contexts.kept}, all that the texts have")
        activations.harvest(model, store, contexts, wanted.batch_size, folder)
    seconds = time.perf_counter() - begun
    print(
        f"{wanted.tokens:,} tokens of {model.cfg.dtype} in {seconds:.0f} s: {wanted.tokens / seconds:,.0f} per second"
    )


if __name__ == "__main__":
    run(main, __doc__, Llm)
