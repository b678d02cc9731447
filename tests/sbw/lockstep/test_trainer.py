"""The fast trainer beside its arithmetic: independence, steering, curves, refusals, divergence and kills."""

import itertools
import multiprocessing
import os
import signal
from collections.abc import Callable

import pytest
import torch
from sae_lens import StandardTrainingSAE, StandardTrainingSAEConfig
from sae_lens.saes.sae import TrainStepInput

from sbw.lockstep.replicas import Diverged
from sbw.lockstep.trainer import CHUNK, STEER_EVERY, Layout, Look, train_lockstep
from sbw.run.errors import UserError
from sbw.saes.untrained import initial_sae
from sbw.toy.model import Toy
from tests.sbw.lockstep.trainers import (
    LR,
    SAE,
    batches,
    batchtopk,
    in_float64,
    jumprelu,
    largest_difference,
    trained_by_saelens,
    trained_in_lockstep,
)


def test_a_replica_depends_on_no_other(toy: Toy) -> None:
    data = batches(toy, 40)
    saes: list[SAE] = [initial_sae(k, 100, 50, seed) for k, seed in ((5, 0), (11, 1), (5, 2), (20, 3), (11, 4))]
    together = trained_in_lockstep(saes, data)
    for processes in (1, 3):
        for a, b in zip(together, trained_in_lockstep(saes, data, processes=processes), strict=True):
            assert largest_difference(a, b) == 0
    for sae, expected in zip(saes, together, strict=True):
        (alone,) = trained_in_lockstep([sae], data)
        assert largest_difference(alone, expected) == 0


@pytest.mark.parametrize(("d_in", "d_sae"), [(20, 5), (6, 10), (7, 11), (13, 37), (23, 15), (35, 12), (39, 13)])
@pytest.mark.parametrize("size", [7, 100, 1024])
def test_small_saes_that_are_stepped_at_once_have_the_bytes_they_have_alone(d_in: int, d_sae: int, size: int) -> None:
    draws = torch.Generator().manual_seed(d_in)
    data = [torch.randn(size, d_in, generator=draws) for _ in range(20)]
    saes: list[SAE] = [initial_sae(1 + i / 3, d_in, d_sae, seed=i) for i in range(5)]
    for sae, together in zip(saes, trained_in_lockstep(saes, data, processes=1), strict=True):
        (alone,) = trained_in_lockstep([sae], data)
        assert all(torch.equal(weights, alone.state_dict()[name]) for name, weights in together.state_dict().items())


@pytest.mark.parametrize(
    "make", [lambda i: in_float64(batchtopk(3 + i, seed=i)), lambda i: in_float64(jumprelu(i + 1))]
)
def test_stepping_replicas_at_once_is_the_same(
    toy: Toy, make: Callable[[int], SAE], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path that a GPU takes, here on the CPU."""
    data, saes = batches(toy, 30, dtype=torch.float64), [in_float64(make(i)) for i in range(3)]
    one_by_one = trained_in_lockstep(saes, data)
    monkeypatch.setattr("sbw.lockstep.trainer._steps_at_once", lambda device: True)
    for a, b in zip(one_by_one, trained_in_lockstep(saes, data), strict=True):
        assert largest_difference(a, b) < 1e-12


def test_steering_sets_the_k_of_each_sae_every_100_steps_by_what_the_last_step_left(toy: Toy) -> None:
    data = batches(toy, 2 * STEER_EVERY + CHUNK, size=256)
    seen: list[list[Look]] = []

    def steer(looks: list[Look]) -> list[float]:
        seen.append([Look(*(part.clone() for part in look)) for look in looks])
        return [4, 8] if len(seen) == 1 else [8, 4]

    saes = [initial_sae(5, 100, 50, seed) for seed in (0, 1)]
    points = train_lockstep(saes, iter(data), steps=len(data), lr=LR, log_every=CHUNK, steer=steer)
    assert [point.l0 for point in points] == pytest.approx([5, 5] * 4 + [4, 8] * 4 + [8, 4], abs=0.01)
    assert len(seen) == 2
    for look in seen[0]:
        assert torch.equal(look.activations, data[STEER_EVERY - 1])
        assert (look.codes > 0).sum() == 5 * 256
        error = look.codes @ look.W_dec + look.b_dec - look.activations
        assert error.square().mean() < look.activations.square().mean(), "these are codes of these activations"
    assert not torch.equal(seen[0][0].W_dec, seen[0][1].W_dec)


def test_a_k_that_is_steered_but_stays_changes_nothing(toy: Toy) -> None:
    data, (steered, free) = batches(toy, 2 * STEER_EVERY), (initial_sae(5, 100, 50, 0) for _ in range(2))
    train_lockstep([steered], iter(data), steps=len(data), lr=LR, steer=lambda looks: [5.0])
    train_lockstep([free], iter(data), steps=len(data), lr=LR)
    assert largest_difference(steered, free) == 0


def test_steering_is_refused_where_no_k_is_set(toy: Toy) -> None:
    with pytest.raises(ValueError, match="`steer` sets the k of BatchTopKTrainingSAE, got JumpReLUTrainingSAE"):
        train_lockstep([jumprelu(1)], iter(batches(toy, 1)), steps=1, lr=LR, steer=lambda looks: [5.0])


def test_curves_have_the_loss_and_l0_of_their_steps(toy: Toy) -> None:
    data, saes = batches(toy, CHUNK + 5), [batchtopk(5), batchtopk(9)]
    chunks: list[int] = []
    points = train_lockstep(
        saes, iter(data), steps=len(data), lr=LR, log_every=10, on_chunk=lambda steps, new: chunks.append(steps)
    )
    assert [(point.step, point.replica) for point in points] == [(s, r) for s in (10, 20, 30) for r in (0, 1)]
    assert [point.l0 for point in points] == pytest.approx([5, 9] * 3, abs=0.01)
    assert points[0].loss > points[2].loss > points[4].loss
    assert chunks == [CHUNK, 5]


def test_loss_of_a_curve_is_saelens_loss(toy: Toy) -> None:
    data, sae = batches(toy, 10, dtype=torch.float64), in_float64(jumprelu(l0_warm_up_steps=0))
    before = trained_by_saelens(sae, data[:9])
    theirs = before.training_forward_pass(TrainStepInput(data[9], {"l0": 0.3}, None, 9, is_logging_step=False))
    points = train_lockstep([sae], iter(data), steps=10, lr=LR, log_every=10)
    assert points[0].loss == pytest.approx(theirs.loss.item(), rel=1e-9)


@pytest.mark.parametrize(
    ("sae", "message"),
    [
        (lambda: batchtopk(5, apply_b_dec_to_input=False), r"`apply_b_dec_to_input` must be one of: \(True,\)"),
        (lambda: batchtopk(5, rescale_acts_by_decoder_norm=False), "`rescale_acts_by_decoder_norm`"),
        (lambda: batchtopk(5, normalize_activations="layer_norm"), "`normalize_activations`.*got 'layer_norm'"),
        (lambda: jumprelu(jumprelu_sparsity_loss_mode="step"), "`jumprelu_sparsity_loss_mode`.*got 'step'"),
        (lambda: jumprelu(pre_act_loss_coefficient=3e-6), "`pre_act_loss_coefficient`"),
        (lambda: jumprelu(jumprelu_ste_to_input=True), "`jumprelu_ste_to_input`"),
        (
            lambda: StandardTrainingSAE(StandardTrainingSAEConfig(d_in=100, d_sae=50)),
            "BatchTopKTrainingSAE, JumpReLUTrainingSAE, TransitionTrainingSAE, got StandardTrainingSAE",
        ),
    ],
)
def test_what_is_not_supported_is_refused_by_name(sae: Callable[[], SAE], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train_lockstep([sae()], iter([]), steps=1, lr=LR)


def test_saes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="`d_sae` must be the same for all SAEs, got 50 and 60"):
        train_lockstep([batchtopk(5, 50), batchtopk(5, 60)], iter([]), steps=1, lr=LR)
    with pytest.raises(ValueError, match="must be of one class"):
        train_lockstep([batchtopk(5), jumprelu()], iter([]), steps=1, lr=LR)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_stream_that_ends_too_early_is_an_error(toy: Toy, processes: int) -> None:
    data = batches(toy, CHUNK + 3)
    with pytest.raises(ValueError, match=f"^`stream` must have 60 batches to train on, it ended after {CHUNK + 3}$"):
        train_lockstep([batchtopk(5), batchtopk(9)], iter(data), steps=60, lr=LR, processes=processes)


def test_saes_that_normalise_need_one_stream(toy: Toy) -> None:
    saes: list[SAE] = [jumprelu(seed=seed, normalize_activations="expected_average_only_in") for seed in (0, 1)]
    data = [torch.stack([batch, batch]) for batch in batches(toy, 2)]
    with pytest.raises(ValueError, match=r"^`stream` must be shared by SAEs that normalise activations, got batches"):
        train_lockstep(saes, iter(data), steps=1, lr=LR)


@pytest.mark.parametrize("make", [batchtopk, jumprelu])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize(("processes", "layout"), [(1, "dense"), (2, "dense"), (1, "sparse")])
def test_an_activation_that_is_not_finite_ends_the_training(
    toy: Toy, make: Callable[[float], SAE], value: float, processes: int, layout: Layout
) -> None:
    data = batches(toy, 12)
    data[5][3, 7] = value
    with pytest.raises(Diverged, match=r"^SAE [01] was stopped at step 6: the activations hold NaN or Inf$"):
        train_lockstep([make(5), make(9)], iter(data), steps=12, lr=LR, processes=processes, layout=layout)


@pytest.mark.parametrize("name", ["W_enc", "W_dec", "b_enc", "b_dec", "threshold"])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_weight_that_is_not_finite_is_found_before_training(
    toy: Toy, name: str, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sbw.lockstep.trainer._steps_at_once", lambda device: at_once)
    saes = [jumprelu(seed=seed) for seed in (0, 1, 2)]
    getattr(saes[1], name).data.flatten()[0] = torch.nan
    with pytest.raises(Diverged, match=r"^SAE 1 was stopped at step 1: its weights hold NaN or Inf$"):
        train_lockstep(saes, iter(batches(toy, 2)), steps=2, lr=LR)


@pytest.mark.parametrize("lr", [1.0, 1e3, 1e20])
@pytest.mark.parametrize("make", [batchtopk, jumprelu])
def test_a_diverging_rate_is_reported(toy: Toy, make: Callable[[float], SAE], lr: float) -> None:
    with pytest.raises(Diverged, match=r"training diverged, try a lower `training\.lr`"):
        train_lockstep([make(5)], iter(batches(toy, 100)), steps=100, lr=lr)


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize(("processes", "failing"), [(2, 0), (2, 1), (3, 0), (3, 1), (3, 2)])
def test_an_sae_that_diverges_ends_the_training_whichever_process_has_it(
    toy: Toy, processes: int, failing: int
) -> None:
    saes = [jumprelu(1e30 if i == failing else 0.1, l0_warm_up_steps=0) for i in range(3)]
    data = itertools.repeat(batches(toy, 1)[0])  # for more steps than a test waits for
    with pytest.raises(Diverged, match=rf"^SAE {failing} was stopped at step \d+: .*training diverged"):
        train_lockstep(saes, data, steps=10**9, lr=LR, processes=processes)
    assert multiprocessing.active_children() == []


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize(("processes", "killed"), [(2, 0), (2, 1), (2, 2), (3, 0), (3, 1), (3, 2), (3, 3)])
def test_a_process_that_is_killed_ends_the_training_whichever_it_is(toy: Toy, processes: int, killed: int) -> None:
    victims: list[int] = []

    def kill(*_: object) -> None:
        if victims:  # a chunk that was reported before the kill, and read after it
            return
        trainers_and_drawer = sorted(process.pid or 0 for process in multiprocessing.active_children())
        assert len(trainers_and_drawer) == processes + 1
        victims.append(trainers_and_drawer[killed])
        os.kill(victims[0], signal.SIGKILL)

    saes = [batchtopk(5, seed=seed) for seed in range(3)]
    data = itertools.repeat(batches(toy, 1)[0])
    with pytest.raises(UserError, match=r"^a process was killed, or ran out of memory$"):
        train_lockstep(saes, data, steps=10**9, lr=LR, processes=processes, on_chunk=kill)
    assert multiprocessing.active_children() == []
