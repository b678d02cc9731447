"""Train the SAEs of `train` on the harvested activations, into data/llm/sae."""

from pathlib import Path

from sbw.params import Llm
from sbw.run.outputs import whole_folder
from sbw.run.stage import run


def main(llm: Llm) -> None:
    from sbw.llm.shards import Shards
    from sbw.llm.training import Recipe, Source, train_saes
    from sbw.llm.wheel import label
    from sbw.lockstep.device import pick_device

    recipes = [Recipe(name, sae, llm.train.seed) for name, sae in llm.train.saes.items()]
    activations, device = Shards(Path("data/llm/activations")), pick_device(llm.device)
    source = Source(label(llm.model), llm.model_class, llm.hook, llm.context_size, llm.corpus.source)
    with whole_folder(Path("data/llm/sae")) as folder:
        train_saes(recipes, llm.train, activations, source, folder, device)


if __name__ == "__main__":
    run(main, __doc__, Llm)
