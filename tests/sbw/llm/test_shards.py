"""Activations on disk are read as they lie, and shuffled through a buffer: each once, in the order of a seed."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from sbw.llm import shards
from sbw.llm.shards import Shards
from sbw.run.errors import UserError


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "BLOCK", 4)


@pytest.fixture
def numbers(tmp_path: Path) -> Tensor:
    """101 rows in shards of 40, 1, 50 and 10, whose ends are not those of blocks."""
    rows = torch.arange(202.0).view(101, 2).bfloat16()
    for i, part in enumerate(torch.split(rows, [40, 1, 50, 10])):
        save_file({"activations": part.contiguous()}, tmp_path / f"activations-{i:05d}.safetensors")
    return rows


def test_rows_are_read_across_shards(numbers: Tensor, tmp_path: Path) -> None:
    found = Shards(tmp_path)
    assert (len(found), found.width, found.dtype) == (101, 2, torch.bfloat16)
    assert torch.equal(found.all(), numbers)
    for start, stop in ((0, 1), (39, 42), (40, 41), (3, 99), (101, 101)):
        assert torch.equal(found.rows(start, stop), numbers[start:stop])


@pytest.mark.parametrize("buffer", [1, 8, 30, 1000])
@pytest.mark.parametrize("batch", [5, 7, 101])
def test_shuffled_gives_each_once_in_full_batches_and_in_the_order_of_the_seed(
    buffer: int, batch: int, numbers: Tensor, tmp_path: Path
) -> None:
    def rows(seed: int) -> Tensor:
        batches = list(Shards(tmp_path).shuffled(batch, buffer, 2.0, seed))
        assert [len(each) for each in batches] == [batch] * (101 // batch)
        assert batches[0].dtype == torch.float32
        return torch.cat(batches)

    found = rows(0)
    known = {tuple(row) for row in (2 * numbers.float()).tolist()}
    drawn = [tuple(row) for row in found.tolist()]
    assert len(set(drawn)) == len(drawn)
    assert set(drawn) <= known
    assert torch.equal(found, rows(0))
    assert not torch.equal(found, rows(1))


def test_a_buffer_mixes_activations_of_all_shards(numbers: Tensor, tmp_path: Path) -> None:
    first = next(Shards(tmp_path).shuffled(20, 24, 1.0, 0))[:, 0] / 2
    neighbours = (first[:, None] - first).abs().fill_diagonal_(9) == 1
    assert neighbours.any(), "a block is read together"
    assert len(set((first // 25).long().tolist())) >= 3, "blocks are of everywhere"


def test_shards_of_two_harvests_are_refused(numbers: Tensor, tmp_path: Path) -> None:
    save_file({"activations": torch.zeros(3, 2)}, tmp_path / "activations-00009.safetensors")
    with pytest.raises(UserError, match="differ in their width or type"):
        Shards(tmp_path)


def test_a_damaged_shard_is_named_and_an_empty_folder_refused(numbers: Tensor, tmp_path: Path) -> None:
    (tmp_path / "activations-00002.safetensors").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"activations-00002\.safetensors is not a readable file of activations"):
        Shards(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"\*\.safetensors"):
        Shards(tmp_path / "none")
