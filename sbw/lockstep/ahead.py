"""Batches that one process draws ahead for all the processes that train on them.

Shapes: w values per sample, b batch.
"""

import mmap
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from multiprocessing import Pipe
from multiprocessing.connection import Connection

import torch
from jaxtyping import Float
from torch import Tensor

Chunk = Sequence[Float[Tensor, "w b"]]
"""Consecutive batches."""

AHEAD = 2
"""Chunks in memory: the one in use, and the one being drawn."""


def drawn_ahead(chunks: Iterator[Chunk], readers: int) -> tuple[Callable[[], None], list[Iterator[Chunk]]]:
    """A function that draws the chunks, and an iterator over them per reader: each is for a forked process of its own.

    The processes share the memory of the chunks: one is overwritten as soon as every reader has asked for the next but
    one. They wait for each other, so that the caller has to end all of them if one ends early.

    Args:
        chunks: of at least one batch each, all batches of one shape and no chunk longer than the first.
        readers: how many iterators to return.
    """
    first = next(chunks)
    slots = _shared(first)
    ours, theirs = zip(*(Pipe() for _ in range(readers)), strict=True)
    return partial(_draw, chain([first], chunks), slots, theirs), [_read(slots, pipe) for pipe in ours]


def _shared(chunk: Chunk) -> Float[Tensor, "slots n w b"]:
    shape, dtype = (AHEAD, len(chunk), *chunk[0].shape), chunk[0].dtype
    memory = mmap.mmap(-1, torch.Size(shape).numel() * dtype.itemsize)
    return torch.frombuffer(memory, dtype=dtype).view(shape)


def _draw(chunks: Iterator[Chunk], slots: Tensor, readers: Sequence[Connection]) -> None:
    for i, chunk in enumerate(chunks):
        for reader in readers if i >= AHEAD else ():
            reader.recv()
        for slot, batch in zip(slots[i % AHEAD], chunk, strict=False):
            slot.copy_(batch)
        for reader in readers:
            reader.send(len(chunk))
    for reader in readers:
        reader.send(0)


def _read(slots: Tensor, pipe: Connection) -> Iterator[Chunk]:
    i = 0
    while drawn := pipe.recv():
        yield list(slots[i % AHEAD, :drawn])
        pipe.send(None)
        i += 1
