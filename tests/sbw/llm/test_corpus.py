"""Texts come from anywhere, in an order of their seed, and no text is on both sides of the split."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from datasets import IterableDataset

from sbw.llm.activations import load_texts
from sbw.llm.corpus import texts_of, texts_of_files, texts_of_probes, write_corpus
from sbw.params.llm import Corpus
from sbw.run.errors import UserError
from tests.conftest import ROOT

TEXTS = [f"text {i}" for i in range(200)]


def corpus(source: object, **values: Any) -> Corpus:
    defaults: dict[str, Any] = {"column": "text", "subset": None, "split": "train", "revision": None, "texts": None}
    return Corpus(**defaults | {"source": str(source), "held_out": 0.1, "seed": 0} | values)


def parquet(folder: Path) -> Path:
    pd.DataFrame({"text": TEXTS[:90], "other": 1}).to_parquet(folder / "a.parquet")
    pd.DataFrame({"text": [*TEXTS[90:], "", " \n", None], "other": 1}).to_parquet(folder / "b.parquet")
    return folder


def json_lines(folder: Path) -> Path:
    (folder / "deep").mkdir()
    rows = "".join(json.dumps({"text": text, "n": i}) + "\n" for i, text in enumerate(TEXTS))
    with pa.output_stream(folder / "deep/texts.jsonl.zst", compression="zstd") as opened:
        opened.write(rows.encode())
    return folder


def plain(folder: Path) -> Path:
    for i, text in enumerate(TEXTS):
        (folder / f"{i:03d}.txt").write_text(text)
    (folder / "README.md").write_text("not a text")
    return folder


@pytest.mark.parametrize("write", [parquet, json_lines, plain])
def test_a_folder_gives_each_text_once_in_an_order_of_the_seed(write: Any, tmp_path: Path) -> None:
    folder = write(tmp_path)
    found = list(texts_of(corpus(folder)))
    assert sorted(found) == sorted(TEXTS)
    assert found != TEXTS
    assert found == list(texts_of(corpus(folder)))
    assert found != list(texts_of(corpus(folder, seed=1)))
    assert list(texts_of(corpus(folder, texts=7))) == found[:7]
    assert list(texts_of_files(folder)) == TEXTS


def test_a_file_of_lines_is_one_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\n\nthree")
    assert list(texts_of_files(tmp_path / "a.txt")) == ["one\ntwo\n\nthree"]


def test_another_column_is_named_by_its_key(tmp_path: Path) -> None:
    pd.DataFrame({"content": TEXTS}).to_parquet(tmp_path / "a.parquet")
    assert sorted(texts_of(corpus(tmp_path, column="content"))) == sorted(TEXTS)
    with pytest.raises(UserError, match=r"a\.parquet has no column 'text', it has: content"):
        list(texts_of(corpus(tmp_path)))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "must be of .parquet, .jsonl, .jsonl.gz, .jsonl.zst, .txt, or a folder of such files"),
        ({"a.parquet": "x"}, "is not a readable file of texts"),
        ({"a.jsonl": "x"}, "is not a readable file of texts"),
    ],
)
def test_what_holds_no_texts_is_refused(files: dict[str, str], message: str, tmp_path: Path) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(UserError) as refused:
        list(texts_of(corpus(tmp_path)))
    assert message in str(refused.value)


def test_a_missing_file_is_not_looked_up_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sbw.llm.corpus.load_dataset", lambda *_, **__: pytest.fail("it was"))
    for source in (tmp_path / "none", "./none", "none.parquet"):
        with pytest.raises(FileNotFoundError, match="none"):
            list(texts_of(corpus(source)))


def test_files_of_several_kinds_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("second")
    (tmp_path / "c.jsonl").write_text('{"n": 1, "text": "third"}\n\n{"n": "x", "text": "fourth"}\n{"text": null}\n')
    pd.DataFrame({"text": ["first"]}).to_parquet(tmp_path / "a.parquet")
    assert list(texts_of_files(tmp_path)) == ["first", "second", "third", "fourth"]


def test_a_process_that_has_read_a_part_of_parquet_ends(tmp_path: Path) -> None:
    """With `datasets`' own reader it waited forever, now and then."""
    pd.DataFrame({"text": TEXTS * 500}).to_parquet(tmp_path / "a.parquet", row_group_size=1000)
    code = (
        "import sys; from pathlib import Path; from sbw.llm.texts_on_disk import texts_in; "
        "rows = iter(texts_in(Path(sys.argv[1]))); print(next(rows)['text'])"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE, timeout=120)
    assert done.stdout == "text 0\n"


@pytest.mark.parametrize("column", ["text", "content"])
def test_a_column_of_a_dataset_of_the_hub(column: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{column: text, "n": i} for i, text in enumerate(TEXTS)]
    of_hub = IterableDataset.from_generator(lambda: iter(rows))
    monkeypatch.setattr("sbw.llm.corpus.load_dataset", lambda *_, **__: of_hub)
    assert sorted(texts_of(corpus("org/name", column=column))) == sorted(TEXTS)
    with pytest.raises(UserError, match=rf"`corpus\.column`: org/name has no column 'x', it has: {column}, n"):
        list(texts_of(corpus("org/name", column="x")))
    with pytest.raises(UserError, match=r"`corpus\.column`: 'n' of org/name must hold texts, got int"):
        list(texts_of(corpus("org/name", column="n")))


def test_a_half_of_a_character_becomes_a_question_mark(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "cut \\ud83d"}\n{"text": "whole \\ud83d\\ude00"}\n')
    assert list(texts_of_files(tmp_path)) == ["cut ?", "whole \U0001f600"]
    (tmp_path / "out").mkdir()
    assert sum(write_corpus(texts_of(corpus(tmp_path / "a.jsonl")), 0.5, 3, tmp_path / "out").values()) == 2


def test_a_dataset_of_the_hub_is_asked_for_as_the_params_say(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def load_dataset(*names: Any, **options: Any) -> Any:
        asked.append((names, options))
        raise ConnectionError("no network\nat all")

    monkeypatch.setattr("sbw.llm.corpus.load_dataset", load_dataset)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(UserError, match=r"`corpus\.source`: 'org/name' is neither .* on the hub: no network$"):
        list(texts_of(corpus("org/name", subset="en", split="validation", revision="abc")))
    assert asked == [(("org/name", "en"), {"split": "validation", "revision": "abc", "streaming": True})]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match="since HF_HUB_OFFLINE is set: unset it"):
        list(texts_of(corpus("org/name")))


def test_the_texts_of_the_probes_are_unique(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = texts_of_probes()
    assert len(set(texts)) == len(texts) == 297_958
    monkeypatch.setattr("sbw.llm.corpus.texts_of_probes", lambda: texts)  # read once
    drawn = list(texts_of(corpus("sae-probes", texts=50)))
    assert len(set(drawn) & set(texts)) == 50
    assert drawn != texts[:50]


def test_a_split_shares_no_text_and_is_that_of_its_seed(tmp_path: Path) -> None:
    def written(name: str, texts: list[str], seed: int) -> dict[str, list[str]]:
        (tmp_path / name).mkdir()
        counts = write_corpus(texts, 0.1, seed, tmp_path / name)
        sides = {side: [row["text"] for row in load_texts(tmp_path / name / side)] for side in ("train", "held_out")}
        assert {side: len(of_side) for side, of_side in sides.items()} == counts
        return sides

    first = written("first", [*TEXTS, *TEXTS[:100]], 0)
    assert 10 <= len(first["held_out"]) <= 50
    assert not set(first["train"]) & set(first["held_out"])
    assert [text for text in [*TEXTS, *TEXTS[:100]] if text in set(first["train"])] == first["train"]
    shorter = written("shorter", TEXTS[:150], 0)
    assert set(shorter["held_out"]) <= set(first["held_out"])
    assert set(written("other", TEXTS, 1)["held_out"]) != set(first["held_out"])
    for side in ("train", "held_out"):
        again = tmp_path / "shorter" / side / "texts.parquet"
        assert again.read_bytes() != (tmp_path / "first" / side / "texts.parquet").read_bytes()


def test_too_few_texts_to_hold_some_out_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"`corpus.source` has 2 texts: too few to hold out a share of 0\.001"):
        write_corpus(["a", "b"], 0.001, 0, tmp_path)


def test_more_texts_than_are_held_in_memory_are_all_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sbw.llm.corpus._ROWS", 7)
    counts = write_corpus(iter(TEXTS), 0.5, 0, tmp_path)
    assert sum(counts.values()) == len(TEXTS)
    assert sum(1 for side in counts for _ in load_texts(tmp_path / side)) == len(TEXTS)
