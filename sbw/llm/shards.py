"""Harvested activations on disk, read as they are needed: memory does not grow with their number.

Shapes: n activations, d their width, b batch.
"""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor

from sbw.run.errors import UserError, not_found, reading
from sbw.toy.generators import seeded

BLOCK = 256
"""Neighbouring activations that are read together."""


class Shards:
    """The activations that `harvest` wrote into a folder.

    Raises:
        FileNotFoundError, UserError: the folder has none, or a file of it is not readable.
    """

    def __init__(self, folder: Path):
        self.paths = sorted(folder.glob("*.safetensors"))
        if not self.paths:
            raise not_found(folder / "*.safetensors")
        shapes, dtypes = zip(*map(_shape_of, self.paths), strict=True)
        if len({(width, dtype) for (_, width), dtype in zip(shapes, dtypes, strict=True)}) > 1:
            raise UserError(f"the shards in {folder} differ in their width or type: they are not of one harvest")
        self.width, self.dtype = shapes[0][1], dtypes[0]
        self.starts = [0, *accumulate(length for length, _ in shapes)]
        """Which activation each shard begins with, and their number."""

    def __len__(self) -> int:
        return self.starts[-1]

    def all(self) -> Float[Tensor, "n d"]:
        """All activations, in the order of the texts, in one tensor."""
        return self.rows(0, len(self))

    def rows(self, start: int, stop: int) -> Float[Tensor, "n d"]:
        """The activations from `start` to before `stop`, in the order of the texts, in one tensor."""
        found = torch.empty(stop - start, self.width, dtype=self.dtype)
        self._read(start, found)
        return found

    def shuffled(self, batch_size: int, buffer: int, scale: float, seed: int) -> Iterator[Float[Tensor, "b d"]]:
        """Every activation once, times `scale`, in full batches and in an order drawn from `seed`.

        Blocks of 256 neighbours are drawn from all shards until they fill a buffer of `buffer` activations, which is
        permuted, and so on; a buffer for all of them is a permutation. In memory are the buffer, what the last one left
        over, less than a batch, and 8 bytes per block.
        """
        generator = seeded(seed)
        blocks = torch.randperm(-(-len(self) // BLOCK), generator=generator)
        rows = torch.empty(0, self.width, dtype=self.dtype)
        for some in torch.split(blocks, max(1, buffer // BLOCK)):
            rows = self._filled(rows, sorted(some.tolist()))
            order = torch.randperm(len(rows), generator=generator)
            full = len(rows) // batch_size * batch_size
            for chosen in torch.split(order[:full], batch_size) if full else ():
                yield rows[chosen].float() * scale
            rows = rows[order[full:]]

    def _filled(self, left: Float[Tensor, "m d"], blocks: list[int]) -> Float[Tensor, "n d"]:
        """What was left over, then the activations of the blocks."""
        ends = [(block * BLOCK, min(len(self), (block + 1) * BLOCK)) for block in blocks]
        rows = torch.empty(len(left) + sum(stop - start for start, stop in ends), self.width, dtype=self.dtype)
        rows[: len(left)] = left
        at = len(left)
        for start, stop in ends:
            self._read(start, rows[at : at + stop - start])
            at += stop - start
        return rows

    def _read(self, start: int, into: Float[Tensor, "n d"]) -> None:
        """Copy the activations from `start` on; a shard is mapped for no longer than that takes."""
        done = 0
        while done < len(into):
            shard = bisect_right(self.starts, start + done) - 1
            first = start + done - self.starts[shard]
            count = min(len(into) - done, self.starts[shard + 1] - start - done)
            with reading(self.paths[shard], "file of activations"), safe_open(self.paths[shard], "pt") as file:
                into[done : done + count] = file.get_slice("activations")[first : first + count]
            done += count


def _shape_of(path: Path) -> tuple[list[int], torch.dtype]:
    with reading(path, "file of activations"), safe_open(path, "pt") as file:
        rows = file.get_slice("activations")
        return rows.get_shape(), rows[:0].dtype
