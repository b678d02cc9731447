"""The fast trainer against SAELens's own: same initial weights, same batches, same SAE.

In float64 the two agree to rounding. In float32 they agree to rounding too, until two activations that are equal but
for rounding meet at BatchTopK's threshold: SAELens itself, given the rows of a batch in another order, then ends
elsewhere, by up to 5e-3 of the largest weight after 300 steps. So the float32 tests take batches small enough for that
to be rare.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sae_lens import (
    BatchTopKTrainingSAE,
    BatchTopKTrainingSAEConfig,
    JumpReLUTrainingSAE,
    JumpReLUTrainingSAEConfig,
    LoggingConfig,
    StandardTrainingSAE,
    StandardTrainingSAEConfig,
    TrainingSAE,
)
from sae_lens.config import SAETrainerConfig
from sae_lens.saes.sae import TrainStepInput
from sae_lens.training.sae_trainer import SAETrainer
from torch import Tensor

from sbw.lockstep import CHUNK, CurvePoint, train_lockstep
from sbw.params import load_params
from sbw.rng import drawing_from, seeded
from sbw.saes import initial_sae
from sbw.schedule import KSchedule
from sbw.toy import Toy, build_toy
from tests.conftest import ROOT

LR = 3e-4
SAE: TypeAlias = TrainingSAE[Any]


@pytest.fixture(scope="module")
def toy() -> Toy:
    return build_toy(load_params(ROOT / "params.yaml").toys["main"])


def batches(toy: Toy, count: int, size: int = 128, dtype: torch.dtype = torch.float32, seed: int = 0) -> list[Tensor]:
    stream = toy.stream(size, seeded(seed))
    return [next(stream).to(dtype) for _ in range(count)]


def trained_by_saelens(
    sae: SAE,
    data: list[Tensor],
    k_at: Callable[[int], float] | None = None,
    each_step: Callable[[SAETrainer[Any, Any]], None] = lambda trainer: None,
) -> SAE:
    """A copy of `sae`, trained by SAETrainer on the batches; the first 1,000 of more estimate the norm if it asks."""
    sae = copy.deepcopy(sae)
    config = SAETrainerConfig(
        n_checkpoints=0,
        checkpoint_path=None,
        save_final_checkpoint=False,
        total_training_samples=len(data) * len(data[0]),
        device="cpu",
        autocast=False,
        lr=LR,
        lr_end=LR,
        lr_scheduler_name="constant",
        lr_warm_up_steps=0,
        adam_beta1=0.9,
        adam_beta2=0.999,
        lr_decay_steps=0,
        n_restart_cycles=1,
        train_batch_size_samples=len(data[0]),
        dead_feature_window=1000,
        feature_sampling_window=2000,
        logger=LoggingConfig(log_to_wandb=False),
    )
    trainer = SAETrainer(config, sae, iter(data))
    rest: Iterator[Tensor] = iter(data)
    if sae.cfg.normalize_activations == "expected_average_only_in":
        trainer.activation_scaler.estimate_scaling_factor(sae.cfg.d_in, rest, 1000)
    for step, batch in enumerate(rest):
        if k_at:
            sae.activation_fn.k = k_at(step)
        trainer.step(batch)
        trainer.n_training_steps += 1
        each_step(trainer)
    if trainer.activation_scaler.scaling_factor is not None:
        sae.fold_activation_norm_scaling_factor(trainer.activation_scaler.scaling_factor)
    return sae


def trained_in_lockstep(saes: list[SAE], data: list[Tensor], **options: Any) -> list[SAE]:
    saes = copy.deepcopy(saes)
    steps = len(data) - (1000 if saes[0].cfg.normalize_activations != "none" else 0)
    train_lockstep(saes, lambda: iter(data), steps=steps, lr=LR, **options)
    return saes


def largest_difference(a: SAE, b: SAE) -> float:
    """Of all weights and thresholds, as a share of the largest weight."""
    theirs = b.state_dict()
    largest = max(weights.abs().max().item() for weights in a.state_dict().values())
    return max((weights - theirs[name]).abs().max().item() for name, weights in a.state_dict().items()) / largest


def batchtopk(k: float, d_sae: int = 50, seed: int = 4, d_in: int = 100, **options: Any) -> BatchTopKTrainingSAE:
    with drawing_from(seeded(seed)):
        return BatchTopKTrainingSAE(BatchTopKTrainingSAEConfig(d_in=d_in, d_sae=d_sae, k=k, **options))


def jumprelu(coefficient: float = 0.3, seed: int = 0, **options: Any) -> JumpReLUTrainingSAE:
    settings = {
        "jumprelu_sparsity_loss_mode": "tanh",
        "jumprelu_bandwidth": 2.0,
        "jumprelu_init_threshold": 0.1,
        "l0_warm_up_steps": 100,
        **options,
    }
    with drawing_from(seeded(seed)):
        return JumpReLUTrainingSAE(
            JumpReLUTrainingSAEConfig(d_in=100, d_sae=50, l0_coefficient=coefficient, **settings)
        )


def in_float64(sae: SAE) -> SAE:
    sae = sae.to(torch.float64)
    if isinstance(sae, JumpReLUTrainingSAE):
        sae.threshold.data = sae.threshold.data.double()  # SAELens keeps it in float32 whatever the dtype
    return sae


@pytest.mark.parametrize("k", [1, 1.8, 11, 25])
@pytest.mark.parametrize("d_sae", [50, 30, 80])
def test_after_one_step_float32(toy: Toy, k: float, d_sae: int) -> None:
    data, sae = batches(toy, 1, size=1024), batchtopk(k, d_sae)
    (ours,) = trained_in_lockstep([sae], data)
    # Where a first gradient is as small as Adam's epsilon, the step amplifies its rounding by up to 1e4: with a few of
    # ten thousand weights. They are within 1e-5, the rest within 1e-6.
    theirs = trained_by_saelens(sae, data).state_dict()
    largest = max(weights.abs().max().item() for weights in theirs.values())
    differences = torch.cat([(weights - theirs[name]).abs().flatten() for name, weights in ours.state_dict().items()])
    differences = differences.sort().values / largest
    assert differences[-4] < 1e-6
    assert differences[-1] < 1e-5


@pytest.mark.parametrize("k", [1, 1.8, 11, 25])
def test_after_300_steps_float32(toy: Toy, k: float) -> None:
    data, sae = batches(toy, 300), batchtopk(k)
    (ours,) = trained_in_lockstep([sae], data)
    assert largest_difference(trained_by_saelens(sae, data), ours) < 1e-3


@pytest.mark.parametrize("k", [1, 1.8, 11, 25])
@pytest.mark.parametrize("d_sae", [50, 30, 80])
def test_after_50_steps_float64(toy: Toy, k: float, d_sae: int) -> None:
    data, sae = batches(toy, 50, dtype=torch.float64), in_float64(batchtopk(k, d_sae))
    (ours,) = trained_in_lockstep([sae], data)
    assert largest_difference(trained_by_saelens(sae, data), ours) < 1e-9


@pytest.mark.parametrize("d_sae", [50, 130])
def test_dead_latents_are_revived_alike(toy: Toy, d_sae: int) -> None:
    """From a start where many latents never fire, through their death after 1,000 steps, and on.

    With 130 latents, more are dead than the auxiliary loss may use at a time, half the width of the activations.
    """
    data, sae = batches(toy, 1_100, size=32, dtype=torch.float64), in_float64(batchtopk(1, d_sae))
    sae.b_enc.data[: d_sae * 2 // 3] = -3
    dead: list[int] = []
    theirs = trained_by_saelens(sae, data, each_step=lambda trainer: dead.append(int(trainer.dead_neurons.sum())))
    (ours,) = trained_in_lockstep([sae], data)
    assert max(dead) > (50 if d_sae == 130 else 20), "the test is about dead latents"
    assert largest_difference(theirs, ours) < 1e-9
    # The auxiliary loss did move the dead: without it they would have kept their bias.
    assert not torch.equal(ours.b_enc[: d_sae * 2 // 3], sae.b_enc[: d_sae * 2 // 3])


def test_scaling_is_estimated_and_folded_alike(toy: Toy) -> None:
    data = batches(toy, 1_050, size=64, dtype=torch.float64)
    sae = in_float64(batchtopk(5, normalize_activations="expected_average_only_in"))
    (ours,) = trained_in_lockstep([sae], data)
    assert ours.cfg.normalize_activations == "none"
    assert largest_difference(trained_by_saelens(sae, data), ours) < 1e-9


def test_jumprelu_float64(toy: Toy) -> None:
    data, sae = batches(toy, 150, dtype=torch.float64), in_float64(jumprelu())
    (ours,) = trained_in_lockstep([sae], data)
    assert largest_difference(trained_by_saelens(sae, data), ours) < 1e-9


def test_jumprelu_with_scaling_float32(toy: Toy) -> None:
    data = batches(toy, 1_300, size=64)
    sae = jumprelu(1.0, normalize_activations="expected_average_only_in")
    (ours,) = trained_in_lockstep([sae], data)
    assert largest_difference(trained_by_saelens(sae, data), ours) < 1e-3


def test_k_follows_its_schedule(toy: Toy) -> None:
    data, sae = batches(toy, 60, dtype=torch.float64), in_float64(batchtopk(20))
    schedule = KSchedule(20, 11, ramp_from=0.2, ramp_to=0.7)
    (ours,) = trained_in_lockstep([sae], data, schedules=[schedule])
    theirs = trained_by_saelens(sae, data, k_at=lambda step: schedule.at(step / 60))
    assert largest_difference(theirs, ours) < 1e-9
    assert largest_difference(trained_by_saelens(sae, data), ours) > 1e-3


@settings(max_examples=15, deadline=None)
@given(
    d_in=st.integers(4, 24),
    d_sae=st.integers(2, 40),
    k_share=st.floats(0.05, 1.0),
    size=st.integers(8, 40),
    options=st.fixed_dictionaries(
        {
            "aux_loss_coefficient": st.floats(0, 2),
            "topk_threshold_lr": st.floats(0.001, 0.5),
            "decoder_init_norm": st.sampled_from([0.1, 1.0, None]),
        }
    ),
    seed=st.integers(0, 1000),
)
def test_any_shape_and_options(
    d_in: int, d_sae: int, k_share: float, size: int, options: dict[str, Any], seed: int
) -> None:
    k = max(k_share * d_sae, 1.5 / size)
    sae = in_float64(batchtopk(k, d_sae, seed, d_in, **options))
    data = [torch.randn(size, d_in, generator=seeded(seed + i), dtype=torch.float64) for i in range(30)]
    (ours,) = trained_in_lockstep([sae], data)
    assert largest_difference(trained_by_saelens(sae, data), ours) < 1e-9


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


@pytest.mark.parametrize(
    "make", [lambda i: in_float64(batchtopk(3 + i, seed=i)), lambda i: in_float64(jumprelu(i + 1))]
)
def test_stepping_replicas_at_once_is_the_same(
    toy: Toy, make: Callable[[int], SAE], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path that a GPU takes, here on the CPU."""
    data, saes = batches(toy, 30, dtype=torch.float64), [in_float64(make(i)) for i in range(3)]
    one_by_one = trained_in_lockstep(saes, data)
    monkeypatch.setattr("sbw.lockstep._steps_at_once", lambda device: True)
    for a, b in zip(one_by_one, trained_in_lockstep(saes, data), strict=True):
        assert largest_difference(a, b) < 1e-12


def test_curves_have_the_loss_and_l0_of_their_steps(toy: Toy) -> None:
    data, saes = batches(toy, CHUNK + 5), [batchtopk(5), batchtopk(9)]
    told: list[int] = []
    points = train_lockstep(
        saes, lambda: iter(data), steps=len(data), lr=LR, log_every=10, on_chunk=lambda steps, new: told.append(steps)
    )
    assert [(point.step, point.replica) for point in points] == [(s, r) for s in (10, 20, 30) for r in (0, 1)]
    assert [point.l0 for point in points] == pytest.approx([5, 9] * 3, abs=0.01)
    assert points[0].loss > points[2].loss > points[4].loss
    assert told == [CHUNK, 5]
    assert isinstance(points[0], CurvePoint)


def test_loss_of_a_curve_is_saelens_loss(toy: Toy) -> None:
    data, sae = batches(toy, 10, dtype=torch.float64), in_float64(jumprelu(l0_warm_up_steps=0))
    before = trained_by_saelens(sae, data[:9])
    theirs = before.training_forward_pass(TrainStepInput(data[9], {"l0": 0.3}, None, 9, is_logging_step=False))
    points = train_lockstep([sae], lambda: iter(data), steps=10, lr=LR, log_every=10)
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
            "BatchTopKTrainingSAE, JumpReLUTrainingSAE, got StandardTrainingSAE",
        ),
    ],
)
def test_what_is_not_supported_is_refused_by_name(sae: Callable[[], SAE], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train_lockstep([sae()], lambda: iter([]), steps=1, lr=LR)


def test_a_schedule_of_what_has_no_k_is_refused() -> None:
    with pytest.raises(ValueError, match="`schedules` are of BatchTopK's k: JumpReLUTrainingSAE has none"):
        train_lockstep([jumprelu()], lambda: iter([]), steps=1, lr=LR, schedules=[KSchedule(20, 11)])


def test_saes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="`d_sae` must be the same for all SAEs, got 50 and 60"):
        train_lockstep([batchtopk(5, 50), batchtopk(5, 60)], lambda: iter([]), steps=1, lr=LR)
    with pytest.raises(ValueError, match="must be of one class"):
        train_lockstep([batchtopk(5), jumprelu()], lambda: iter([]), steps=1, lr=LR)


def test_a_loss_that_is_not_finite_is_an_error(toy: Toy) -> None:
    data = [*batches(toy, 5), torch.full((128, 100), torch.inf), *batches(toy, 5)]
    with pytest.raises(ValueError, match=r"the loss of SAE [01] is nan at step 6"):
        train_lockstep([batchtopk(5), batchtopk(9)], lambda: iter(data), steps=11, lr=LR, log_every=1, processes=2)
