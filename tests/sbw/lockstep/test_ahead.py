"""What one process draws is what each reader gets, and no reader waits for a process that has ended."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from functools import partial

import pytest
import torch

from sbw.lockstep.ahead import AHEAD, Chunk, drawn_ahead
from sbw.run.processes import in_parallel, one_thread

CHUNKS = 3 * AHEAD


@pytest.fixture(autouse=True)
def as_when_training() -> Iterator[None]:
    with one_thread():
        yield


def chunk(i: int, batches: int = 4) -> Chunk:
    return [torch.full((2, 3), float(10 * i + batch)) for batch in range(batches)]


def read(chunks: Iterator[Chunk], pause: float = 0) -> list[float]:
    """The first value of each batch, looked at twice: when it is got, and after a pause."""
    values: list[float] = []
    for batches in chunks:
        values += [batch[0, 0].item() for batch in batches]
        time.sleep(pause)
        assert values[-len(batches) :] == [batch[1, 2].item() for batch in batches], "it was overwritten while in use"
    return values


def test_each_reader_gets_every_batch_however_slow_it_is() -> None:
    last = chunk(CHUNKS, batches=1)
    with drawn_ahead(iter([*(chunk(i) for i in range(CHUNKS)), last]), readers=3) as drawn:
        values = in_parallel([partial(read, chunks, pause) for chunks, pause in zip(drawn, (0, 0.02, 0), strict=True)])
    assert values == [[10 * i + batch for i in range(CHUNKS) for batch in range(4)] + [10 * CHUNKS]] * 3


def test_it_draws_no_further_than_there_is_room() -> None:
    drawn_so_far = multiprocessing.get_context("fork").Value("i", 0)

    def chunks() -> Iterator[Chunk]:
        for i in range(CHUNKS):
            yield chunk(i)
            drawn_so_far.value = i + 1

    with drawn_ahead(chunks(), readers=2) as (quick, slow):
        assert len(next(quick)) == len(next(quick)) == 4  # the slow one has not begun
        time.sleep(0.1)
        assert drawn_so_far.value <= AHEAD
        assert in_parallel([partial(read, quick), partial(read, slow)]) == [
            [10 * i + batch for i in range(start, CHUNKS) for batch in range(4)] for start in (2, 0)
        ]


@pytest.mark.parametrize("after", [1, AHEAD + 1])
def test_an_error_of_drawing_is_each_readers(after: int) -> None:
    def chunks() -> Iterator[Chunk]:
        yield from (chunk(i) for i in range(after))
        raise ValueError("no more of it")

    with drawn_ahead(chunks(), readers=2) as drawn:
        for reader in drawn:
            for _ in range(min(after, AHEAD)):
                next(reader)
        for reader in drawn:
            with pytest.raises(ValueError, match="no more of it"):
                read(reader)


def test_an_error_before_anything_is_drawn_is_raised_here() -> None:
    def chunks() -> Iterator[Chunk]:
        raise ValueError("nothing of it")
        yield

    with pytest.raises(ValueError, match="nothing of it"), drawn_ahead(chunks(), readers=1):
        pass


def test_a_killed_drawer_is_an_error_that_says_so() -> None:
    def chunks() -> Iterator[Chunk]:
        yield chunk(0)
        os.kill(os.getpid(), signal.SIGKILL)

    with (
        drawn_ahead(chunks(), readers=1) as (reader,),
        pytest.raises(RuntimeError, match="draws batches was killed, or ran out of memory"),
    ):
        read(reader)


def test_nobody_draws_afterwards() -> None:
    with drawn_ahead((chunk(i) for i in range(CHUNKS)), readers=1) as (reader,):
        next(reader)
    assert multiprocessing.active_children() == []
