"""Trains SAEs on toys' activations, the paper's way, with a progress bar."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from sae_lens import TrainingSAE
from tqdm import tqdm

from sbw.lockstep.device import pick_device
from sbw.lockstep.replicas import ALIGNED, Diverged
from sbw.lockstep.trainer import CurvePoint, Steer, Stream, fit_at_once, train_lockstep
from sbw.params.training import Training
from sbw.run.errors import UserError
from sbw.run.processes import map_processes, processors, quiet
from sbw.saes.disk import save_sae
from sbw.saes.experiments.planned import PlannedSae
from sbw.toy.generators import seeded

Place = Callable[[PlannedSae], Path]


def train_planned(planned: Sequence[PlannedSae], params: Training, place: Place, label: str) -> None:
    """Train the SAEs of an experiment, each into the folder that is its `place`.

    SAEs that share a stream are trained in lockstep. Where there are enough streams to keep the processors busy, each
    is trained by one process, small SAEs side by side, else by several.
    """
    streams: dict[Any, list[PlannedSae]] = {}
    for sae in planned:
        streams.setdefault(sae.stream, []).append(sae)
    groups = list(streams.values())
    alone = pick_device(params.device) == "cpu" and len(groups) >= processors()
    if alone and all(len(group) == 1 for group in groups) and params.batch_size % ALIGNED == 0:
        groups = _side_by_side(planned)
    labels = [f"{label}, {i} of {len(groups)}" if len(groups) > 1 else label for i in range(1, len(groups) + 1)]
    train = partial(_train_group, params=params, place=place, experiment=label, processes=1 if alone else None)
    map_processes(train, list(zip(groups, labels, strict=True)), processors() if alone else 1)


def train_on_toy(
    saes: Sequence[TrainingSAE[Any]],
    stream: Stream,
    params: Training,
    label: str,
    *,
    names: Sequence[str],
    samples: int,
    log_every: int,
    processes: int | None = None,
    steer: Steer | None = None,
) -> list[CurvePoint]:
    """Train SAEs in place on a stream of a toy's activations, by `train_lockstep`.

    A bar named `label` shows the steps, and the mean loss and L0 of the SAEs that one process trains. It is silent
    where standard error is not a terminal, or where another process shows its own.

    Returns:
        The training curves, one point per SAE every `log_every` steps.

    Raises:
        UserError: an SAE diverges; the message has its name, from `names`.
    """
    with _named(names), tqdm(total=params.steps(samples), desc=label, unit="step", disable=quiet()) as bar:
        return train_lockstep(
            saes,
            stream,
            steps=params.steps(samples),
            lr=params.lr,
            log_every=log_every,
            device=pick_device(params.device),
            processes=processes,
            on_chunk=partial(_show, bar),
            steer=steer,
        )


@contextmanager
def _named(names: Sequence[str]) -> Iterator[None]:
    try:
        yield
    except Diverged as stop:
        raise UserError(f"{names[stop.replica]} {stop.cause}") from stop


def _show(bar: "tqdm[Any]", new_steps: int, points: list[CurvePoint]) -> None:
    bar.update(new_steps)
    if points:
        loss, l0 = (sum(column) / len(points) for column in zip(*(point[2:] for point in points), strict=True))
        bar.set_postfix(loss=f"{loss:.3f}", l0=f"{l0:.2f}", refresh=False)


def _train_group(
    labelled: tuple[Sequence[PlannedSae], str], params: Training, place: Place, experiment: str, processes: int | None
) -> None:
    planned, label = labelled
    saes, samples = [one.sae() for one in planned], planned[0].samples
    names = [f"{experiment}: {one.folder}" for one in planned]
    stream = _stream(planned, params.batch_size)
    train_on_toy(saes, stream, params, label, names=names, samples=samples, log_every=100, processes=processes)
    for one, sae in zip(planned, saes, strict=True):
        save_sae(sae, place(one))


def _side_by_side(planned: Sequence[PlannedSae]) -> list[list[PlannedSae]]:
    """SAEs of one length of training in groups that are stepped at once, as many for each processor."""
    limit, groups = fit_at_once(planned[0].sae()), []
    for _, alike in groupby(sorted(planned, key=lambda sae: sae.samples), key=lambda sae: sae.samples):
        members = list(alike)
        count = processors() * -(-len(members) // (processors() * limit))
        groups += [group for i in range(count) if (group := members[i::count])]
    return groups


def _stream(planned: Sequence[PlannedSae], batch_size: int) -> Stream:
    """The batches that SAEs share, or the batches of each."""
    streams = [one.toy.stream(batch_size, seeded(one.stream_seed)) for one in planned]
    if len({one.stream for one in planned}) == 1:
        return streams[0]
    return (torch.stack([batch.T for batch in batches]).mT for batches in zip(*streams, strict=True))
