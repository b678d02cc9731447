"""The steering finds the L0 where coherence changes its sign, on imitated SAEs of two latents."""

import math

import pytest
import torch

from sbw.lockstep.trainer import STEER_EVERY, Look
from sbw.verdict.automatic_l0 import HELD_FROM, RATE, L0Steering

LOOKS, D_SAE = 146, 50


def with_coherence(kappa: float) -> Look:
    """Two latents, always active alike, at an angle whose cosine is κ."""
    W_dec = torch.tensor([[1.0, 0.0], [kappa, math.sqrt(1 - kappa**2)]], dtype=torch.double)
    codes = torch.ones(8, 2, dtype=torch.double)
    return Look(codes @ W_dec, codes, W_dec, torch.zeros(2))


def steered(start: float, right: float, *, flat_above: bool = False) -> L0Steering:
    """Steer SAEs whose coherence goes half of the way to its value for L0 between two looks."""
    steer = L0Steering(start, LOOKS * STEER_EVERY, D_SAE)
    kappa, l0 = 0.3, start
    for _ in range(LOOKS):
        settled = 0.3 * math.log(right / l0)
        kappa = 0.5 * kappa + 0.5 * max(-0.5, min(0.5, max(settled, -0.005) if flat_above else settled))
        l0 = steer([with_coherence(kappa), with_coherence(kappa)])[0]
    return steer


@pytest.mark.parametrize("right", [5.0, 11.0, 20.0])
@pytest.mark.parametrize("start", [3.0, 11.0, 25.0])
def test_ends_at_the_right_l0_from_below_and_above(start: float, right: float) -> None:
    assert steered(start, right).l0 == pytest.approx(right, rel=0.05)


@pytest.mark.parametrize("start", [3.0, 25.0])
def test_where_noise_leaves_coherence_at_zero_above_it_still_comes_down(start: float) -> None:
    assert steered(start, 11.0, flat_above=True).l0 == pytest.approx(11, rel=0.1)


def test_l0_stays_between_1_and_what_the_saes_have() -> None:
    assert min(point.l0 for point in steered(2.0, 0.1).path) == 1
    assert max(point.l0 for point in steered(40.0, 500.0).path) == D_SAE


def test_all_saes_have_one_l0_which_moves_by_no_more_than_its_rate_and_is_held_in_the_end() -> None:
    steer = L0Steering(10.0, 100 * STEER_EVERY, D_SAE)
    ks = [steer([with_coherence(0.5)] * 3) for _ in range(100)]
    assert all(len(set(k)) == 1 for k in ks)
    l0 = [k[0] for k in ks]
    assert l0[0] == pytest.approx(10 * math.exp(RATE))
    assert len(set(l0[round(100 * HELD_FROM) :])) == 1


def test_the_path_has_the_step_l0_and_coherence_of_each_look() -> None:
    path = steered(3.0, 11.0).path
    assert [point.step for point in path[:3]] == [0, STEER_EVERY, 2 * STEER_EVERY]
    assert path[0].l0 == 3
    assert math.isnan(path[0].coherence)
    assert path[1].coherence == pytest.approx(0.15 + 0.15 * math.log(11 / 3), abs=1e-6)
