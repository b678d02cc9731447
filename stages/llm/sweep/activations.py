"""Run the model on the texts of `probing.datasets`: activations of last tokens in data/llm/probing/activations."""

from pathlib import Path

from sbw.params import Llm
from sbw.run.outputs import whole_folder
from sbw.run.stage import run


def main(llm: Llm) -> None:
    from sbw.llm.model import load_model, require_hook
    from sbw.llm.probing import require_datasets, write_activations

    probing = llm.probing
    require_datasets(probing.datasets)
    model = load_model(Path("data/llm/model"), llm.model_class, llm.dtype, llm.device)
    require_hook(model, llm.hook, "hook")
    with whole_folder(Path("data/llm/probing/activations")) as folder:
        write_activations(probing.datasets, model, llm.hook, probing.batch_size, llm.context_size, folder)


if __name__ == "__main__":
    run(main, __doc__, Llm)
