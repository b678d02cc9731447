"""Write the language model to data/llm/model, and the texts that it is run on to data/llm/corpus."""

from pathlib import Path

from sbw.params import Llm
from sbw.run.outputs import whole_folder
from sbw.run.stage import run


def main(llm: Llm) -> None:
    from sbw.llm.corpus import save_corpus, split, texts_of_probes
    from sbw.llm.model import fetch_model

    with whole_folder(Path("data/llm/model")) as folder:
        fetch_model(llm.model, folder)
    splits = split(texts_of_probes(), llm.corpus.held_out, llm.corpus.seed)
    with whole_folder(Path("data/llm/corpus")) as folder:
        save_corpus(splits, folder)
    for name, texts in splits.items():
        print(f"{name}: {len(texts):,} texts, {texts['text'].str.len().sum() / 1e6:.1f} million characters")


if __name__ == "__main__":
    run(main, __doc__, Llm)
