"""Train the SAEs of one k of `sweep`, all seeds at once, into data/llm/sweep/sae/k=K/seed=S."""

from pathlib import Path

from sbw.params import Llm
from sbw.params.llm import LlmBatchTopK
from sbw.run.outputs import whole_folder
from sbw.run.stage import number_of, run


def main(llm: Llm, value: str) -> None:
    wanted = LlmBatchTopK(architecture="batchtopk", k=number_of("k", value, llm.sweep.ks))

    from sbw.files import folder_of
    from sbw.llm.activations import load_activations
    from sbw.llm.model import label
    from sbw.llm.training import Recipe, Source, train_saes

    recipes = [Recipe(folder_of({"seed": seed}), wanted, seed) for seed in llm.sweep.seeds]
    source = Source(label(llm.model), llm.model_class, llm.hook, llm.context_size)
    activations = load_activations(Path("data/llm/activations"))
    with whole_folder(Path("data/llm/sweep/sae", folder_of({"k": wanted.k}))) as folder:
        train_saes(recipes, llm.train, activations, source, lambda name: folder / name)


if __name__ == "__main__":
    run(main, __doc__, Llm, k="value of `sweep.ks`")
