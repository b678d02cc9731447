"""Batches that a process of their own draws ahead, for all the processes that train on them.

Shapes: w values a sample, b batch.
"""

import mmap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from multiprocessing import Pipe
from multiprocessing.connection import Connection

import torch
from jaxtyping import Float
from torch import Tensor

from sbw.run.processes import forked

Chunk = Sequence[Float[Tensor, "w b"]]
"""Some batches, one after another."""

AHEAD = 2
"""Chunks that there is room for: the one in use, and the one being drawn."""


@contextmanager
def drawn_ahead(chunks: Iterator[Chunk], readers: int) -> Iterator[list[Iterator[Chunk]]]:
    """The same chunks for each of several readers, one a process: this one, or those it forks while this lasts.

    They are written once, to memory that the processes share, where a chunk is overwritten as soon as every reader has
    asked for the next but one. A reader raises what drawing raised. torch has to have one thread, as after any fork.

    Args:
        chunks: of at least one batch each, all of a shape and none longer than the first.
        readers: how many iterators to return.
    """
    first = next(chunks)
    slots = _shared(first)
    ours, theirs = zip(*(Pipe() for _ in range(readers)), strict=True)
    process = forked(_draw, chain([first], chunks), slots, theirs)
    for pipe in theirs:
        pipe.close()
    try:
        yield [_read(slots, pipe) for pipe in ours]
    finally:
        process.kill()
        process.join()


def _shared(chunk: Chunk) -> Float[Tensor, "slots n w b"]:
    shape, dtype = (AHEAD, len(chunk), *chunk[0].shape), chunk[0].dtype
    memory = mmap.mmap(-1, torch.Size(shape).numel() * dtype.itemsize)
    return torch.frombuffer(memory, dtype=dtype).view(shape)


def _draw(chunks: Iterator[Chunk], slots: Tensor, readers: Sequence[Connection]) -> None:
    with suppress(ConnectionError, EOFError):  # who does not read any more has failed, and its parent says so
        last: Exception | int = 0
        try:
            _fill(chunks, slots, readers)
        except (ConnectionError, EOFError):
            raise
        except Exception as error:
            last = error
        _tell(readers, last)
        while True:  # a pipe that is closed may lose what was not read: stay until the readers end, or we are killed
            readers[0].recv()


def _fill(chunks: Iterator[Chunk], slots: Tensor, readers: Sequence[Connection]) -> None:
    for i, chunk in enumerate(chunks):
        for reader in readers if i >= AHEAD else ():
            reader.recv()
        for slot, batch in zip(slots[i % AHEAD], chunk, strict=False):
            slot.copy_(batch)
        _tell(readers, len(chunk))


def _tell(readers: Sequence[Connection], what: object) -> None:
    for reader in readers:
        reader.send(what)


def _read(slots: Tensor, pipe: Connection) -> Iterator[Chunk]:
    i = 0
    while drawn := _told(pipe):
        yield list(slots[i % AHEAD, :drawn])
        with suppress(ConnectionError):  # what it told last is still to be read
            pipe.send(None)
        i += 1


def _told(pipe: Connection) -> int:
    try:
        told = pipe.recv()
    except (ConnectionError, EOFError) as error:
        raise RuntimeError("the process that draws batches was killed, or ran out of memory") from error
    if isinstance(told, Exception):
        raise told
    return int(told)
