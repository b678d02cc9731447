"""The fast trainer against SAELens's own: same initial weights, same batches, same SAE.

In float64 the two agree to rounding. In float32 they agree to rounding too, until two activations that are equal but
for rounding meet at BatchTopK's threshold: SAELens itself, given the rows of a batch in another order, then ends
elsewhere, by up to 5e-3 of the largest weight after 300 steps. So the float32 tests take batches small enough for that
to be rare.
"""

from typing import Any, get_args

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sbw.lockstep.trainer import Layout
from sbw.toy.generators import seeded
from sbw.toy.model import Toy
from tests.sbw.lockstep.trainers import (
    SAE,
    batches,
    batchtopk,
    in_float64,
    jumprelu,
    largest_difference,
    trained_by_saelens,
    trained_in_lockstep,
)

LAYOUTS: tuple[Layout, ...] = get_args(Layout)
SCALED: dict[str, Any] = {"normalize_activations": "expected_average_only_in"}
each_layout = pytest.mark.parametrize("layout", LAYOUTS)
each_k = pytest.mark.parametrize("k", [1, 1.8, 11, 25])
each_width = pytest.mark.parametrize("d_sae", [50, 30, 80])


def assert_alike(sae: SAE, data: list[torch.Tensor], bound: float, layout: Layout | None = None) -> SAE:
    """Our training ends where SAELens's ends; returns the SAE that it trains."""
    (ours,) = trained_in_lockstep([sae], data, layout=layout)
    assert largest_difference(trained_by_saelens(sae, data), ours) < bound
    return ours


@each_layout
@each_k
@each_width
def test_after_one_step_float32(toy: Toy, layout: Layout, k: float, d_sae: int) -> None:
    data, sae = batches(toy, 1, size=1024), batchtopk(k, d_sae)
    (ours,) = trained_in_lockstep([sae], data, layout=layout)
    # Where a first gradient is as small as Adam's epsilon, the step amplifies its rounding by up to 1e4: with a few of
    # ten thousand weights. They are within 1e-5, the rest within 1e-6. Sums in another order are as far off as SAELens
    # itself is from exact ones, in float64, to which they are nearer.
    theirs = trained_by_saelens(sae, data)
    differences = _differences(ours, theirs)
    assert differences[-4] < 1e-6
    if layout == "sparse" and differences[-1] >= 1e-5:
        exact = trained_by_saelens(in_float64(sae), [batch.double() for batch in data])
        assert differences[-1] < 1e-5 + _differences(theirs, exact)[-1]
        assert _differences(ours, exact)[-1] < 1e-5
    else:
        assert differences[-1] < 1e-5


def _differences(a: SAE, b: SAE) -> torch.Tensor:
    """Of all weights, ascending, as shares of the largest."""
    theirs = b.state_dict()
    largest = max(weights.abs().max().item() for weights in theirs.values())
    each = [(weights - theirs[name]).abs().flatten() for name, weights in a.state_dict().items()]
    return torch.cat(each).sort().values / largest


@each_layout
@each_k
def test_after_300_steps_float32(toy: Toy, layout: Layout, k: float) -> None:
    assert_alike(batchtopk(k), batches(toy, 300), 1e-3, layout)


@each_layout
@each_k
@each_width
def test_after_50_steps_float64(toy: Toy, layout: Layout, k: float, d_sae: int) -> None:
    assert_alike(in_float64(batchtopk(k, d_sae)), batches(toy, 50, dtype=torch.float64), 1e-9, layout)


@each_layout
@pytest.mark.parametrize("d_sae", [50, 130])
def test_dead_latents_are_revived_alike(toy: Toy, layout: Layout, d_sae: int) -> None:
    """From a start where many latents never fire, through their death after 1,000 steps, and on.

    With 130 latents, more are dead than the auxiliary loss may use at a time, half the width of the activations.
    """
    data, sae = batches(toy, 1_100, size=32, dtype=torch.float64), in_float64(batchtopk(1, d_sae))
    sae.b_enc.data[: d_sae * 2 // 3] = -3
    dead: list[int] = []
    theirs = trained_by_saelens(sae, data, each_step=lambda trainer: dead.append(int(trainer.dead_neurons.sum())))
    (ours,) = trained_in_lockstep([sae], data, layout=layout)
    assert max(dead) > (50 if d_sae == 130 else 20), "the test is about dead latents"
    assert largest_difference(theirs, ours) < 1e-9
    # The auxiliary loss did move the dead: without it they would have kept their bias.
    assert not torch.equal(ours.b_enc[: d_sae * 2 // 3], sae.b_enc[: d_sae * 2 // 3])


@each_layout
def test_scaling_is_estimated_and_folded_alike(toy: Toy, layout: Layout) -> None:
    sae = in_float64(batchtopk(5, **SCALED))
    ours = assert_alike(sae, batches(toy, 1_050, size=64, dtype=torch.float64), 1e-9, layout)
    assert ours.cfg.normalize_activations == "none"


def test_jumprelu_float64(toy: Toy) -> None:
    assert_alike(in_float64(jumprelu()), batches(toy, 150, dtype=torch.float64), 1e-9)


def test_jumprelu_with_scaling_float32(toy: Toy) -> None:
    assert_alike(jumprelu(1.0, **SCALED), batches(toy, 1_300, size=64), 1e-3)


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
    layout=st.sampled_from(LAYOUTS),
)
# Its decoder begins so large that its error is still 13 times what there is to explain when it is first looked at.
@example(
    d_in=4, d_sae=6, k_share=1.0, size=8, seed=17, layout="dense",
    options={"aux_loss_coefficient": 0.0, "topk_threshold_lr": 0.5, "decoder_init_norm": None},
)  # fmt: skip
def test_any_shape_and_options(
    d_in: int, d_sae: int, k_share: float, size: int, options: dict[str, Any], seed: int, layout: Layout
) -> None:
    k = max(k_share * d_sae, 1.5 / size)
    sae = in_float64(batchtopk(k, d_sae, seed, d_in, **options))
    data = [torch.randn(size, d_in, generator=seeded(seed + i), dtype=torch.float64) for i in range(30)]
    assert_alike(sae, data, 1e-9, layout)
