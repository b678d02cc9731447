"""Harvested activations are the model's, of the tokens that are text, whoever counts the processors or was killed."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from sae_lens import ActivationsStore

from sbw.llm import activations
from sbw.llm.activations import first_contexts, harvest, open_store, require_room, tokenise
from sbw.llm.model import Model, special_tokens
from sbw.llm.shards import Shards
from sbw.run.errors import UserError
from tests.conftest import ROOT
from tests.tiny import CONTEXT, HIDDEN, HOOK, WIDTH


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activations, "SHARD", 8)


def harvested(model: Model, tiny: Path, folder: Path, tokens: int = 500, hook: str = HOOK) -> dict[str, bytes]:
    folder.mkdir(exist_ok=True)
    store = open_store(model, tiny / "corpus/train", hook, CONTEXT, batch_size=4)
    harvest(model, store, tokenise(store, folder, tokens=tokens), batch_size=4, folder=folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("hook", [HOOK, HIDDEN])
def test_they_are_those_of_the_forward_pass_without_special_tokens(
    hook: str, model: Model, store: ActivationsStore, tiny: Path, tmp_path: Path
) -> None:
    harvested(model, tiny, tmp_path / "found", hook=hook)
    contexts = store.get_batch_tokens(40)
    assert (contexts[:, 0] == model.tokenizer.bos_token_id).all()
    with torch.no_grad():
        _, cache = model.run_with_cache(contexts, names_filter=[hook], prepend_bos=False)
    expected = cache[hook][~torch.isin(contexts, special_tokens(model))][:500]
    found = Shards(tmp_path / "found").all()
    assert found.shape == (500, 2 * WIDTH if hook == HIDDEN else WIDTH)
    torch.testing.assert_close(found, expected)


def test_bytes_do_not_depend_on_the_number_of_processes(
    model: Model, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    for count in (1, 3):
        monkeypatch.setattr("sbw.run.processes.processors", lambda count=count: count)
        written.append(harvested(model, tiny, tmp_path / str(count)))
    assert len(written[0]) > 2
    assert written[0] == written[1]


def test_it_goes_on_after_the_shards_that_are_there(
    model: Model, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = harvested(model, tiny, tmp_path / "whole")
    part = tmp_path / "part"
    part.mkdir()
    kept = sorted(whole)[1]
    (part / kept).write_bytes(whole[kept])
    before = (part / kept).stat().st_mtime_ns
    assert harvested(model, tiny, part) == whole
    assert (part / kept).stat().st_mtime_ns == before
    assert f"1 of {len(whole)} shards are there already" in capsys.readouterr().out


def test_contexts_are_as_many_as_hold_the_tokens_or_as_asked_for_or_all(
    store: ActivationsStore, model: Model, tiny: Path, tmp_path: Path
) -> None:
    by_tokens = tokenise(store, tmp_path, tokens=200)
    assert by_tokens.kept == 200
    assert len(by_tokens.tokens) == sum(shard.contexts.stop - shard.contexts.start for shard in by_tokens.shards)
    fewer = by_tokens.tokens[:-1]
    assert (~torch.isin(torch.tensor(fewer), special_tokens(model))).sum() < 200

    def reopened() -> ActivationsStore:
        return open_store(model, tiny / "corpus/train", HOOK, CONTEXT, batch_size=4)

    by_contexts = tokenise(reopened(), tmp_path, contexts=11)
    assert by_contexts.tokens.shape == (11, CONTEXT)
    assert by_contexts.tokens.tolist() == by_tokens.tokens[:11].tolist()
    ordinary = ~torch.isin(torch.tensor(by_contexts.tokens), special_tokens(model))
    assert by_contexts.kept == ordinary.sum()
    everything = tokenise(reopened(), tmp_path, tokens=10**9)
    assert 500 < everything.kept < 10**9
    assert not list(tmp_path.iterdir()), "the contexts have no name"


def test_a_harvest_that_has_no_room_is_refused_before_it_begins(tmp_path: Path) -> None:
    require_room(1_000_000, 576, torch.bfloat16, 1.16, tmp_path)
    with pytest.raises(UserError, match=r"`harvest.disk` must be at least 1\.16 GB, 1,152 bytes .* got 1\.15$"):
        require_room(1_000_000, 576, torch.bfloat16, 1.15, tmp_path)
    with pytest.raises(UserError, match=r"the disk has room for .* GB; the harvest takes 1\.15e\+12, 1,152 bytes"):
        require_room(10**18, 576, torch.bfloat16, 1e15, tmp_path)


def test_the_shards_that_are_there_need_no_room_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    with pytest.raises(UserError, match=r"has room for 0\.001 GB"):
        require_room(1000, 576, torch.bfloat16, 1.0, tmp_path)
    (tmp_path / "activations-00000.safetensors").write_bytes(bytes(200_000))
    require_room(1000, 576, torch.bfloat16, 1.0, tmp_path)


def test_more_contexts_than_there_are_is_refused(store: ActivationsStore) -> None:
    assert first_contexts(store, 3, "some.contexts").shape == (3, CONTEXT)
    with pytest.raises(UserError, match=r"`some\.contexts` asks for 10000 contexts, the held-out texts have \d+$"):
        first_contexts(store, 10_000, "some.contexts")


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")
def test_memory_does_not_grow_with_tokens(tmp_path: Path) -> None:
    """Shards are written, and read in one pass, in a process of its own."""
    code = """
import re, sys, torch
from pathlib import Path
from types import SimpleNamespace
from safetensors.torch import save_file
from sbw.llm.shards import Shards

folder = Path(sys.argv[1])
folder.mkdir()
for i in range(int(sys.argv[2])):
    save_file({"activations": torch.full((16_384, 256), float(i))}, folder / f"activations-{i:05d}.safetensors")

def peak():
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"^VmHWM:\\s+(\\d+) kB", status, re.M)[1]) >> 10

shards = Shards(folder)
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
before, rows = peak(), 0
for batch in shards.shuffled(1024, 16_384, 1.0, 0):
    rows += len(batch)
print(rows, peak() - before)
"""
    grown = []
    for shards in (2, 16):
        command = [sys.executable, "-c", code, str(tmp_path / str(shards)), str(shards)]
        done = subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE)
        rows, megabytes = map(int, done.stdout.split())
        assert rows == shards * 16_384
        grown.append(megabytes)
    assert max(grown) < 64, "of 32 and 256 MB, through a buffer of 16"
