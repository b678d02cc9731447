"""Train the SAEs of `train` on the harvested activations, into data/llm/sae."""

from pathlib import Path

from sbw.params import Llm
from sbw.run.outputs import whole_folder
from sbw.run.stage import run


def main(llm: Llm) -> None:
    from sbw.llm.activations import load_activations
    from sbw.llm.model import label
    from sbw.llm.training import Recipe, Source, train_saes

    activations = load_activations(Path("data/llm/activations"))
    source = Source(label(llm.model), llm.model_class, llm.hook, llm.context_size)
    recipes = [Recipe(name, sae, llm.train.seed) for name, sae in llm.train.saes.items()]
    with whole_folder(Path("data/llm/sae")) as folder:
        train_saes(recipes, llm.train, activations, source, lambda name: folder / name)


if __name__ == "__main__":
    run(main, __doc__, Llm)
