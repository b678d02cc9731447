"""Trains many small SAEs of one shape in lockstep, on one stream of activations or each on its own.

The arithmetic is that of SAELens 6.54's `SAETrainer`, with the backward pass written out (replicas.py). What all SAEs
share is drawn once, and nothing is sorted to select. On CPUs the SAEs are dealt out to processes, another one draws for
them (ahead.py), and each is stepped on its own, so that its scratch stays in the cache, by its active latents alone
where these are few; SAEs of a few latents, and all SAEs on a GPU, are stepped at once.

Activations lie features first, [d b] and [h b]: sums over the batch run along memory, and the GEMMs are faster.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice, pairwise
from multiprocessing import Pipe
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from sae_lens import TrainingSAE
from torch import Tensor

from sbw.lockstep.ahead import Chunk, drawn_ahead
from sbw.lockstep.batchtopk import BatchTopKReplicas
from sbw.lockstep.replicas import Diverged, Replicas, Trained
from sbw.lockstep.sparse import SparseBatchTopK, is_faster
from sbw.lockstep.supported import REPLICAS, require_supported
from sbw.run.processes import can_fork, map_processes, one_thread, processors
from sbw.saes.schedule import KSchedule

Stream = Iterator[Float[Tensor, "*r b d"]]
"""Batches of activations, for all SAEs or for each; the transpose of a contiguous [d b] is taken without a copy."""

CHUNK = 25
"""Steps that an SAE takes before the next one's turn: its weights stay in the cache, and the batches remain few."""

AT_ONCE, MOST_AT_ONCE = 128 * 128, 10
"""Decoder weights, and SAEs, that a CPU steps at once: a step of fewer is calls more than arithmetic."""

_NORM_BATCHES = 1000  # what SAELens's toy loop estimates the norm of the activations from


class CurvePoint(NamedTuple):
    """A point of an SAE's training curve."""

    replica: int
    """Index of the SAE among those trained together."""
    step: int
    """Steps done, this one included."""
    loss: float
    """Mean squared error summed over the width, plus the auxiliary or sparsity loss."""
    l0: float
    """Active latents per sample in the step's batch."""


Layout = Literal["dense", "sparse"]
"""How BatchTopK's products are taken: of all latents, or of the active ones."""

OnChunk = Callable[[int, list[CurvePoint]], None]

STEER_EVERY = 4 * CHUNK
"""Steps between two calls of `steer`."""


class Look(NamedTuple):
    """An SAE in training, at the end of a step; what it shows may change with the next one."""

    activations: Float[Tensor, "b d"]
    """The step's batch."""
    codes: Float[Tensor, "b h"]
    """Its latents' activations in that step."""
    W_dec: Float[Tensor, "h d"]
    b_dec: Float[Tensor, " d"]


Steer = Callable[[list[Look]], list[float]]
"""Given a look at each SAE, the k of each from now on."""


def train_lockstep(
    saes: Sequence[TrainingSAE[Any]],
    stream: Stream,
    *,
    steps: int,
    lr: float,
    log_every: int = CHUNK,
    device: str = "cpu",
    processes: int | None = None,
    layout: Layout | None = None,
    on_chunk: OnChunk | None = None,
    steer: Steer | None = None,
) -> list[CurvePoint]:
    """Train SAELens SAEs in place, as `SAETrainer` would train each of them.

    Adam (0.9, 0.999) at a constant rate, gradients clipped at norm 1, latents dead after 1,000 steps without firing.
    Unless steered, an SAE depends on its initial weights and the stream alone, not on the SAEs or processes beside it.

    Args:
        saes: BatchTopK, transition or JumpReLU training SAEs, alike but for `k` and its ramp, or `l0_coefficient`.
        stream: `steps` batches, which the SAEs share or of which each has its own; after 1,000 more, shared, where they
            normalise by the expected norm.
        steps, lr, device: batches to train on, Adam's learning rate, and where to train.
        log_every: steps between two points of the training curves.
        processes: to deal the SAEs out to, beside the one that draws (1: only this one). By default the fastest.
        layout: of BatchTopK SAEs on a CPU; by default the faster for each. Changes the result by rounding alone.
        on_chunk: called every few steps with their number and the new points of the first process's curves.
        steer: sets the k of BatchTopK SAEs every 100 steps, in one process.

    Raises:
        ValueError: the SAEs differ, have an option that is not supported, or the stream ends too early.
        Diverged, UserError: activations or weights are not finite, or an error grows too large; a process was killed.
    """
    require_supported(saes, steps, steered=steer is not None)
    alone = steer or _steps_at_once(device)
    processes = 1 if alone else processes
    groups = _groups(saes, steps, lr, device, "dense" if alone else layout, processes or processors())
    train = partial(_train, log_every=log_every, steer=steer)
    with one_thread(), _folded_in(saes, stream) as batches:
        points = _deal_out(groups, _chunks(batches, steps), train, processes, on_chunk)
    return sorted(points, key=lambda point: (point.step, point.replica))


class _Group:
    """SAEs that are stepped at once."""

    def __init__(self, first: int, saes: Sequence[TrainingSAE[Any]], replicas: type[Replicas], *settings: Any):
        self.first, self.saes = first, saes
        with self._numbered():
            self.replicas = replicas(saes, *settings)

    def train(self, batches: Chunk, log_every: int) -> list[CurvePoint]:
        points, members = [], slice(self.first, self.first + len(self.saes))
        with self._numbered():
            for shared in batches:
                batch = shared if shared.dim() == 2 else shared[members]
                logging = (self.replicas.done + 1) % log_every == 0
                self.batch = batch.to(self.replicas.params.device)
                log = self.replicas.step(self.batch, logging)
                for i, values in enumerate(zip(*log, strict=True) if log else ()):
                    points.append(CurvePoint(self.first + i, self.replicas.done, *values))
        return points

    def looks(self) -> list[Look]:
        """What the last step left of each SAE."""
        w, each = self.replicas.w, self.batch.expand(len(self.saes), *self.batch.shape[-2:])
        seen = zip(each.mT, self.replicas.scratch.z.mT, w.W_dec, w.b_dec.squeeze(2), strict=True)
        return [Look(*of_one) for of_one in seen]

    @contextmanager
    def _numbered(self) -> Iterator[None]:
        try:
            yield
        except Diverged as stop:
            raise Diverged(self.first + stop.replica, stop.cause) from stop


@contextmanager
def _folded_in(saes: Sequence[TrainingSAE[Any]], batches: Stream) -> Iterator[Stream]:
    """The batches as the SAEs normalise them; what scaled them is in the weights afterwards."""
    if saes[0].cfg.normalize_activations == "none":
        yield batches
        return
    scale = _norm_scale(saes[0], batches)
    yield (batch * scale for batch in batches)
    for sae in saes:
        sae.fold_activation_norm_scaling_factor(scale)


def _chunks(batches: Stream, steps: int) -> Iterator[Chunk]:
    for done in range(0, steps, CHUNK):
        wanted = min(CHUNK, steps - done)
        chunk = [batch.mT.contiguous() for batch in islice(batches, wanted)]
        if len(chunk) < wanted:
            raise ValueError(f"`stream` must have {steps} batches to train on, it ended after {done + len(chunk)}")
        yield chunk


def _deal_out(
    groups: list[_Group],
    chunks: Iterator[Chunk],
    train: Callable[..., "_Outcome"],
    processes: int | None,
    on_chunk: OnChunk | None,
) -> list[CurvePoint]:
    if processes == 1 or not can_fork():
        dealt, outcomes = [groups], [train(groups, chunks, on_chunk=on_chunk)]
    else:
        shares = min(len(groups), processes or _best_shares(len(groups), processors()))
        dealt = [groups[share::shares] for share in range(shares)]
        outcomes = _train_at_once(dealt, chunks, train, on_chunk)
    for share, outcome in zip(dealt, outcomes, strict=True):
        for group, state in zip(share, outcome.trained, strict=True):
            group.replicas.write_back(state)
    return [point for outcome in outcomes for point in outcome.points]


def _train_at_once(
    shares: list[list[_Group]], chunks: Iterator[Chunk], train: Callable[..., "_Outcome"], on_chunk: OnChunk | None
) -> list["_Outcome"]:
    draw, drawn = drawn_ahead(chunks, len(shares))
    first, *others = (partial(train, *share) for share in zip(shares, drawn, strict=True))
    send, relay = _relayed(on_chunk) if on_chunk else (None, None)
    tasks: list[Callable[[], Any]] = [draw, partial(first, on_chunk=send), *others]
    return map_processes(lambda task: task(), tasks, len(tasks), meanwhile=relay)[1:]


def _relayed(on_chunk: OnChunk) -> tuple[OnChunk, Callable[[], None]]:
    """What a forked process calls in place of `on_chunk`, and what then calls that here."""
    receiver, sender = Pipe(duplex=False)

    def relay() -> None:
        sender.close()  # ours: what a killed process sent in part then has an end
        with suppress(EOFError):
            while receiver.poll():
                on_chunk(*receiver.recv())

    return lambda new_steps, points: sender.send((new_steps, points)), relay


class _Outcome(NamedTuple):
    points: list[CurvePoint]
    trained: list[Trained]


def _train(
    groups: list[_Group],
    chunks: Iterator[Chunk],
    log_every: int,
    steer: Steer | None,
    on_chunk: OnChunk | None = None,
) -> _Outcome:
    points: list[CurvePoint] = []
    for i, chunk in enumerate(chunks):
        if steer and i and i * CHUNK % STEER_EVERY == 0:
            _set_ks(groups, steer([look for group in groups for look in group.looks()]))
        new = [point for group in groups for point in group.train(chunk, log_every)]
        points += new
        if on_chunk:
            on_chunk(len(chunk), new)
    return _Outcome(points, [group.replicas.trained() for group in groups])


def _set_ks(groups: list[_Group], ks: list[float]) -> None:
    for group in groups:
        assert isinstance(group.replicas, BatchTopKReplicas), "others are refused"
        group.replicas.schedules = [KSchedule(k, k) for k in ks[group.first : group.first + len(group.saes)]]


def _groups(
    saes: Sequence[TrainingSAE[Any]], steps: int, lr: float, device: str, layout: Layout | None, processes: int
) -> list[_Group]:
    evenly = -(-len(saes) // processes)
    size = evenly if _steps_at_once(device) else 1 if layout == "sparse" else fit_at_once(saes[0])
    count = min(len(saes), processes * -(-evenly // size))
    ends = [len(saes) * i // count for i in range(count + 1)]
    parts = [(first, saes[first:end]) for first, end in pairwise(ends)]
    return [_Group(first, part, _replicas(part, layout), steps, lr, device) for first, part in parts]


def _replicas(saes: Sequence[TrainingSAE[Any]], layout: Layout | None) -> type[Replicas]:
    dense = REPLICAS[type(saes[0])]
    if dense is not BatchTopKReplicas or len(saes) > 1:
        return dense
    return SparseBatchTopK if layout == "sparse" or (layout is None and is_faster(saes[0])) else dense


def _best_shares(saes: int, processors: int) -> int:
    """How many processes to deal SAEs out to, beside the one that draws, which takes half as long as training an SAE.

    One per processor is best where they share evenly; else a few more, whose turns the operating system evens out, at a
    price.
    """

    def cost(shares: int) -> float:
        slowest, total = -(-saes // shares), (saes + 0.5) / processors
        return max(slowest, total) if shares <= processors else 1.05 * max(total, 1.0)

    return min(range(1, saes + 1), key=cost)


def fit_at_once(sae: TrainingSAE[Any]) -> int:
    """How many SAEs of this shape a CPU steps at once."""
    return min(MOST_AT_ONCE, max(1, AT_ONCE // sae.W_dec.numel()))


def _steps_at_once(device: str) -> bool:
    return torch.device(device).type == "cuda"


def _norm_scale(sae: TrainingSAE[Any], batches: Stream) -> float:
    """What brings the mean norm of the activations to √d_in; SAELens's `ActivationScaler` without its own bar."""
    total, rows = 0.0, 0
    for batch in islice(batches, _NORM_BATCHES):
        if batch.dim() != 2:
            raise ValueError(f"`stream` must be shared by SAEs that normalise activations, got batches {batch.shape}")
        total += batch.norm(dim=1).float().sum().item()  # in float32, as SAELens
        rows += len(batch)
    return math.sqrt(sae.cfg.d_in) * rows / total
