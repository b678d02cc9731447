"""Harvested activations are the model's, of the tokens that are text, whoever counts the processors."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from sae_lens import ActivationsStore
from safetensors.torch import save_file

from sbw.llm import activations
from sbw.llm.activations import contexts_with, harvest, load_activations, shuffled
from sbw.llm.model import Model, special_tokens
from sbw.run.errors import UserError
from tests.conftest import ROOT
from tests.tiny import CONTEXT, HOOK, WIDTH


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activations, "SHARD", 8)


def test_they_are_those_of_the_forward_pass_without_special_tokens(
    model: Model, store: ActivationsStore, tmp_path: Path
) -> None:
    harvest(model, store, 500, batch_size=4, folder=tmp_path)
    store.iterable_sequences = store._iterate_tokenized_sequences()
    contexts = store.get_batch_tokens(40)
    assert (contexts[:, 0] == model.tokenizer.bos_token_id).all()
    with torch.no_grad():
        _, cache = model.run_with_cache(contexts, names_filter=[HOOK], prepend_bos=False)
    expected = cache[HOOK][~torch.isin(contexts, special_tokens(model))][:500]
    found = load_activations(tmp_path)
    assert found.shape == (500, WIDTH)
    torch.testing.assert_close(found, expected)


def test_bytes_do_not_depend_on_the_number_of_processes(
    model: Model, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    for count in (1, 3):
        monkeypatch.setattr("sbw.run.processes.processors", lambda count=count: count)
        folder = tmp_path / str(count)
        folder.mkdir()
        fresh = activations.open_store(model, tiny / "corpus/train", HOOK, CONTEXT, batch_size=4)
        harvest(model, fresh, 500, batch_size=4, folder=folder)
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert len(written[0]) > 2
    assert written[0] == written[1]


def test_more_tokens_than_there_are_is_refused_with_their_number(model: Model, store: ActivationsStore) -> None:
    with pytest.raises(UserError, match=r"`harvest.tokens` must be at most \d+, all that the texts have"):
        contexts_with(store, special_tokens(model), 10**6)


def test_a_folder_without_activations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"\*\.safetensors"):
        load_activations(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")
def test_loading_them_takes_little_more_memory_than_they_have(tmp_path: Path) -> None:
    megabytes, shards = 256, 16
    for i in range(shards):
        shard = torch.full(((megabytes << 18) // shards // 64, 64), float(i))
        save_file({"activations": shard}, tmp_path / f"activations-{i:05d}.safetensors")
    code = """
import re, sys
from pathlib import Path
from sbw.llm.activations import load_activations
def memory(name):
    return int(re.search(rf"^{name}:\\s+(\\d+) kB", Path("/proc/self/status").read_text(), re.M)[1])
before = memory("VmRSS")
found = load_activations(Path(sys.argv[1]))
print(memory("VmHWM") - before, *found[:: len(found) // 16, 0].tolist())
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE
    )
    kilobytes, *values = map(float, done.stdout.split())
    assert values == [float(i) for i in range(shards)]
    assert 1.0 < kilobytes / 1024 / megabytes < 1.3


def test_shuffled_gives_each_once_in_full_batches_and_in_the_order_of_the_seed() -> None:
    numbers = torch.arange(22.0).view(11, 2)
    batches = list(shuffled(numbers, 5, 2.0, seed=0))
    assert [len(batch) for batch in batches] == [5, 5]
    rows = torch.cat(batches)
    assert len({tuple(row) for row in rows.tolist()}) == 10
    assert set(rows[:, 0].tolist()) <= set((2 * numbers[:, 0]).tolist())
    torch.testing.assert_close(rows, torch.cat(list(shuffled(numbers, 5, 2.0, seed=0))))
    assert not torch.equal(rows, torch.cat(list(shuffled(numbers, 5, 2.0, seed=1))))
