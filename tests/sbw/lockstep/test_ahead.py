"""Each reader gets every batch that is drawn, and no more is drawn than there is room for."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch

from sbw.lockstep.ahead import AHEAD, Chunk, drawn_ahead
from sbw.run.processes import map_processes

CHUNKS = 3 * AHEAD


def chunk(i: int, batches: int = 4) -> Chunk:
    return [torch.full((2, 3), float(10 * i + batch)) for batch in range(batches)]


def read(chunks: Iterator[Chunk], pause: float = 0) -> list[float]:
    """The first value of each batch, read twice: when it comes, and after a pause."""
    values: list[float] = []
    for batches in chunks:
        values += [batch[0, 0].item() for batch in batches]
        time.sleep(pause)
        assert values[-len(batches) :] == [batch[1, 2].item() for batch in batches], "it was overwritten while in use"
    return values


def at_once(*tasks: Callable[[], Any]) -> list[Any]:
    return map_processes(lambda task: task(), tasks, len(tasks))


def test_each_reader_gets_every_batch_however_slow_it_is() -> None:
    last = chunk(CHUNKS, batches=1)
    draw, drawn = drawn_ahead(iter([*(chunk(i) for i in range(CHUNKS)), last]), readers=3)
    _, *values = at_once(draw, *(partial(read, *pair) for pair in zip(drawn, (0, 0.02, 0), strict=True)))
    assert values == [[10 * i + batch for i in range(CHUNKS) for batch in range(4)] + [10 * CHUNKS]] * 3


def test_no_more_is_drawn_than_there_is_room_for() -> None:
    drawn_so_far = multiprocessing.get_context("fork").Value("i", 0)

    def chunks() -> Iterator[Chunk]:
        for i in range(CHUNKS):
            drawn_so_far.value = i
            yield chunk(i)

    def lead(quick: Iterator[Chunk]) -> list[int]:
        """The last chunk drawn when each one came."""
        return [drawn_so_far.value for _ in quick]

    draw, (reader,) = drawn_ahead(chunks(), readers=1)
    _, leads = at_once(draw, partial(lead, reader))
    assert len(leads) == CHUNKS
    assert all(i <= reached <= i + AHEAD for i, reached in enumerate(leads))


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize("after", [0, 1, AHEAD + 1])
def test_an_error_of_drawing_is_raised(after: int) -> None:
    def chunks() -> Iterator[Chunk]:
        yield from (chunk(i) for i in range(after))
        raise ValueError("no more of it")

    def read_all() -> None:
        draw, drawn = drawn_ahead(chunks(), readers=2)
        at_once(draw, *(partial(read, chunks) for chunks in drawn))

    with pytest.raises(ValueError, match="no more of it"):
        read_all()
