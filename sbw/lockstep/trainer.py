"""Trains many small SAEs of one shape in lockstep on one stream of activations.

The arithmetic is that of SAELens 6.54's `SAETrainer`, with the backward pass written out (replicas.py). What all SAEs
share is drawn once, and nothing is sorted to select. On CPUs the SAEs are dealt out to processes, another one draws for
them (ahead.py), and each is stepped on its own, so that its scratch stays in the cache, by its active latents alone
where these are few; on a GPU all are stepped at once.

Activations lie features first, [d b] and [h b]: sums over the batch run along memory, and the GEMMs are faster.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from multiprocessing import Pipe
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from sae_lens import BatchTopKTrainingSAE, JumpReLUTrainingSAE, TrainingSAE
from torch import Tensor

from sbw.lockstep.ahead import Chunk, drawn_ahead
from sbw.lockstep.batchtopk import BatchTopKReplicas
from sbw.lockstep.jumprelu import JumpReLUReplicas
from sbw.lockstep.replicas import Diverged, Replicas, StepLog, Trained
from sbw.lockstep.sparse import SparseBatchTopK, is_faster
from sbw.run.processes import can_fork, map_processes, one_thread, processors
from sbw.saes.schedule import constant
from sbw.saes.transition import TransitionTrainingSAE

Stream = Iterator[Float[Tensor, "b d"]]
"""Activations, a batch at a time; the transpose of a contiguous [d b] is taken without a copy."""

CHUNK = 25
"""Steps that an SAE takes before the next one's turn: its weights stay in the cache, and the batches remain few."""

_REPLICAS: dict[type, type[Replicas]] = {
    BatchTopKTrainingSAE: BatchTopKReplicas,
    JumpReLUTrainingSAE: JumpReLUReplicas,
    TransitionTrainingSAE: BatchTopKReplicas,
}
_SUPPORTED: dict[str, tuple[Any, ...]] = {
    "apply_b_dec_to_input": (True,),
    "dtype": ("float32", "float64"),
    "jumprelu_sparsity_loss_mode": ("tanh",),
    "jumprelu_ste_to_input": (False,),
    "normalize_activations": ("none", "expected_average_only_in"),
    "pre_act_loss_coefficient": (None,),
    "rescale_acts_by_decoder_norm": (True,),
    "reshape_activations": ("none",),
    "use_sparse_activations": (False,),
}
_MAY_DIFFER = {"initial_k", "k", "l0_coefficient", "metadata", "ramp_from", "ramp_to"}
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
    """Active latents a sample in the step's batch."""


Layout = Literal["dense", "sparse"]
"""How BatchTopK's products are taken: of all latents, or of the active ones."""

OnChunk = Callable[[int, list[CurvePoint]], None]

STEER_EVERY = 4 * CHUNK
"""Steps between two calls of `steer`."""

Steer = Callable[[list[Float[Tensor, "h d"]]], list[float]]
"""Given the decoder of each SAE, the k of each from now on."""


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
    """Train SAELens SAEs in place, all on the same activations, as `SAETrainer` would train each of them.

    Adam (0.9, 0.999) at a constant rate, gradients clipped at norm 1, latents dead after 1,000 steps without firing.
    Unless steered, an SAE is what its initial weights and the stream make it, whatever trains it and what else.

    Args:
        saes: BatchTopK, transition or JumpReLU training SAEs, alike but for `k` and its ramp, or `l0_coefficient`.
        stream: `steps` batches, and 1,000 before them where the SAEs normalise by the expected norm.
        steps, lr: batches to train on, and Adam's learning rate.
        log_every: steps between two points of the training curves.
        device: where to train.
        processes: to deal the SAEs out to, beside the one that draws (1: none but this). By default what is fastest.
        layout: of BatchTopK SAEs on a CPU; by default what is faster for each. Changes the result by rounding alone.
        on_chunk: called now and then with the steps taken and the newest points of the curves: those of all SAEs, or of
            the ones that the first process trains.
        steer: sets the k of BatchTopK SAEs every 100 steps, in one process.

    Raises:
        ValueError: the SAEs differ, have an option that is not supported, or the stream ends too early.
        Diverged: activations or weights are not finite, or an error grows beyond all measure.
        UserError: a process was killed.
    """
    _refuse_unsupported(saes, steps, steer)
    groups = _groups(saes, steps, lr, device, "dense" if steer else layout)
    alone = steer or _steps_at_once(device)
    train = partial(_train, log_every=log_every, steer=steer)
    with one_thread(), _folded_in(saes, stream) as batches:
        points = _deal_out(groups, _chunks(batches, steps), train, 1 if alone else processes, on_chunk)
    return sorted(points, key=lambda point: (point.step, point.replica))


class _Group:
    """SAEs that are stepped at once."""

    def __init__(self, first: int, saes: Sequence[TrainingSAE[Any]], replicas: type[Replicas], *settings: Any):
        self.first, self.saes = first, saes
        with self._numbered():
            self.replicas = replicas(saes, *settings)

    def train(self, batches: Chunk, log_every: int) -> list[CurvePoint]:
        points = []
        with self._numbered():
            for batch in batches:
                logging = (self.replicas.done + 1) % log_every == 0
                log = self.replicas.step(batch.to(self.replicas.params.device), logging)
                points += self._points(log) if log else []
        return points

    @contextmanager
    def _numbered(self) -> Iterator[None]:
        try:
            yield
        except Diverged as stop:
            raise Diverged(self.first + stop.replica, stop.cause) from stop

    def _points(self, log: StepLog) -> list[CurvePoint]:
        step = self.replicas.done
        return [CurvePoint(self.first + i, step, *values) for i, values in enumerate(zip(*log, strict=True))]


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
        chunk = [batch.T.contiguous() for batch in islice(batches, wanted)]
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
    there, relay = _relayed(on_chunk) if on_chunk else (None, None)
    first = partial(first, on_chunk=there)
    tasks: list[Callable[[], Any]] = [draw, first, *others]
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
        if steer and i * CHUNK % STEER_EVERY == 0:
            _set_ks(groups, steer([W_dec for group in groups for W_dec in group.replicas.w.W_dec]))
        new = [point for group in groups for point in group.train(chunk, log_every)]
        points += new
        if on_chunk:
            on_chunk(len(chunk), new)
    return _Outcome(points, [group.replicas.trained() for group in groups])


def _set_ks(groups: list[_Group], ks: list[float]) -> None:
    for group in groups:
        assert isinstance(group.replicas, BatchTopKReplicas), "others are refused"
        group.replicas.schedules = [constant(k) for k in ks[group.first : group.first + len(group.saes)]]


def _groups(
    saes: Sequence[TrainingSAE[Any]], steps: int, lr: float, device: str, layout: Layout | None
) -> list[_Group]:
    if _steps_at_once(device):
        return [_Group(0, saes, _REPLICAS[type(saes[0])], steps, lr, device)]
    return [_Group(i, [sae], _replicas(sae, layout), steps, lr, device) for i, sae in enumerate(saes)]


def _replicas(sae: TrainingSAE[Any], layout: Layout | None) -> type[Replicas]:
    dense = _REPLICAS[type(sae)]
    if dense is BatchTopKReplicas and (layout == "sparse" or (layout is None and is_faster(sae))):
        return SparseBatchTopK
    return dense


def _best_shares(saes: int, processors: int) -> int:
    """How many processes to deal SAEs out to, beside the one that draws: it takes half as long as training an SAE does.

    One a processor is best where they share evenly; else a few more, whose turns the operating system evens out, at a
    price.
    """

    def cost(shares: int) -> float:
        slowest, total = -(-saes // shares), (saes + 0.5) / processors
        return max(slowest, total) if shares <= processors else 1.05 * max(total, 1.0)

    return min(range(1, saes + 1), key=cost)


def _steps_at_once(device: str) -> bool:
    return torch.device(device).type == "cuda"


def _norm_scale(sae: TrainingSAE[Any], batches: Stream) -> float:
    """What brings the mean norm of the activations to √d_in; SAELens's `ActivationScaler` without its own bar."""
    total, rows = 0.0, 0
    for batch in islice(batches, _NORM_BATCHES):
        total += batch.norm(dim=1).float().sum().item()  # in float32, as SAELens
        rows += len(batch)
    return math.sqrt(sae.cfg.d_in) * rows / total


def _refuse_unsupported(saes: Sequence[TrainingSAE[Any]], steps: int, steer: Steer | None) -> None:
    first = saes[0]
    if type(first) not in _REPLICAS:
        allowed = ", ".join(kind.__name__ for kind in _REPLICAS)
        raise ValueError(f"`saes` must be of one of the classes: {allowed}, got {type(first).__name__}")
    if steer and type(first) is not BatchTopKTrainingSAE:
        raise ValueError(f"`steer` sets the k of BatchTopKTrainingSAE, got {type(first).__name__}")
    for name, value in vars(first.cfg).items():
        if value not in _SUPPORTED.get(name, (value,)):
            raise ValueError(f"`{name}` must be one of: {_SUPPORTED[name]}, got {value!r}")
    if isinstance(first, TransitionTrainingSAE) and first.cfg.training_steps != steps:
        raise ValueError(f"`training_steps` must be the steps trained ({steps}), got {first.cfg.training_steps}")
    for sae in saes:
        if type(sae) is not type(first):
            raise ValueError(f"`saes` must be of one class, got {type(first).__name__} and {type(sae).__name__}")
        for name, value in vars(first.cfg).items():
            other = getattr(sae.cfg, name)
            if name not in _MAY_DIFFER and other != value:
                raise ValueError(f"`{name}` must be the same for all SAEs, got {value!r} and {other!r}")
