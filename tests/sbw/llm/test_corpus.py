"""Texts are unique, and those held out are not among the others."""

from pathlib import Path

import pandas as pd

from sbw.llm.activations import load_texts
from sbw.llm.corpus import CORPUS, save_corpus, split, texts_of_probes


def test_the_texts_of_the_probes_are_unique() -> None:
    texts = texts_of_probes()
    assert list(texts.columns) == CORPUS.names
    assert texts["text"].is_unique
    assert texts["text"].str.strip().ne("").all()
    assert len(texts) == 297_958


def test_a_split_shares_no_text_and_is_that_of_its_seed(tmp_path: Path) -> None:
    texts = pd.DataFrame({"text": [f"text {i}" for i in range(50)], "dataset": "some"})
    parts = split(texts, 0.1, seed=0)
    assert {name: len(part) for name, part in parts.items()} == {"held_out": 5, "train": 45}
    assert set(parts["held_out"]["text"]) | set(parts["train"]["text"]) == set(texts["text"])
    assert split(texts, 0.1, seed=0)["train"].equals(parts["train"])
    assert not split(texts, 0.1, seed=1)["train"].equals(parts["train"])
    save_corpus(parts, tmp_path)
    assert [row["text"] for row in load_texts(tmp_path / "train")] == list(parts["train"]["text"])
