"""Train the SAEs of one cell of `sweep`, every k and seed of it together, into data/llm/sweep/sae/CELL/k=K/seed=S."""

from pathlib import Path

from sbw.params import Llm
from sbw.params.llm import LlmBatchTopK
from sbw.run.outputs import whole_folder
from sbw.run.stage import one_of, run


def main(llm: Llm, cell: str) -> None:
    ks = llm.sweep.cells[one_of("cell", cell, list(llm.sweep.cells))]

    from sbw.llm.shards import Shards
    from sbw.llm.sweep import swept
    from sbw.llm.training import Recipe, Source, train_saes
    from sbw.llm.wheel import label
    from sbw.lockstep.device import pick_device

    recipes = [
        Recipe(sae.name, LlmBatchTopK(architecture="batchtopk", k=sae.k), sae.seed)
        for sae in swept(ks, llm.sweep.seeds)
    ]
    source = Source(label(llm.model), llm.model_class, llm.hook, llm.context_size, llm.corpus.source)
    activations = Shards(Path("data/llm/activations"))
    with whole_folder(Path("data/llm/sweep/sae", cell)) as folder:
        train_saes(recipes, llm.train, activations, source, folder, pick_device(llm.device))


if __name__ == "__main__":
    run(main, __doc__, Llm, cell="name of the cell in `sweep.cells`")
