"""Trains SAEs on toys' activations, the paper's way, with a progress bar."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sae_lens import TrainingSAE
from tqdm import tqdm

from sbw.lockstep.device import pick_device
from sbw.lockstep.replicas import Diverged
from sbw.lockstep.trainer import CurvePoint, Steer, train_lockstep
from sbw.params.training import Training
from sbw.run.errors import UserError
from sbw.run.processes import map_processes, processors, quiet
from sbw.saes.disk import save_sae
from sbw.saes.experiments.planned import PlannedSae
from sbw.toy.generators import seeded
from sbw.toy.model import Toy

Place = Callable[[PlannedSae], Path]


def train_planned(planned: Sequence[PlannedSae], params: Training, place: Place, label: str) -> None:
    """Train the SAEs of an experiment, each into the folder that is its `place`.

    SAEs that share a stream are trained in lockstep. Where there are enough streams to keep the processors busy, each
    is trained by one process, else by several.
    """
    streams: dict[tuple[int, int, int], list[PlannedSae]] = {}
    for sae in planned:
        streams.setdefault((id(sae.toy), sae.stream_seed, sae.samples), []).append(sae)
    groups = list(streams.values())
    alone = pick_device(params.device) == "cpu" and len(groups) >= processors()
    labels = [f"{label}, {i} of {len(groups)}" if len(groups) > 1 else label for i in range(1, len(groups) + 1)]
    train = partial(_train_group, params=params, place=place, experiment=label, processes=1 if alone else None)
    map_processes(train, list(zip(groups, labels, strict=True)), processors() if alone else 1)


def train_on_toy(
    saes: Sequence[TrainingSAE[Any]],
    toy: Toy,
    params: Training,
    label: str,
    *,
    names: Sequence[str],
    stream_seed: int,
    samples: int,
    log_every: int,
    processes: int | None = None,
    steer: Steer | None = None,
) -> list[CurvePoint]:
    """Train SAEs in place, all on one stream of a toy's activations, by `train_lockstep`.

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
            toy.stream(params.batch_size, seeded(stream_seed)),
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
    saes, first = [one.sae() for one in planned], planned[0]
    names = [f"{experiment}: {one.folder}" for one in planned]
    train = partial(train_on_toy, stream_seed=first.stream_seed, samples=first.samples, log_every=100)
    train(saes, first.toy, params, label, names=names, processes=processes)
    for one, sae in zip(planned, saes, strict=True):
        save_sae(sae, place(one))
