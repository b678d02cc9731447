"""Write the language model to data/llm/model, and the texts that it is run on to data/llm/corpus."""

from pathlib import Path

from sbw.params import Llm
from sbw.run.outputs import whole_folder
from sbw.run.stage import run


def main(llm: Llm) -> None:
    from sbw.llm.corpus import texts_of, write_corpus
    from sbw.llm.model import fetch_model

    with whole_folder(Path("data/llm/model")) as folder:
        fetch_model(llm.model, folder)
    with whole_folder(Path("data/llm/corpus")) as folder:
        counts = write_corpus(texts_of(llm.corpus), llm.corpus.held_out, llm.corpus.seed, folder)
    print(", ".join(f"{name}: {count:,} texts" for name, count in counts.items()))


if __name__ == "__main__":
    run(main, __doc__, Llm)
