"""The steering finds the L0 where c_dec stops falling, on imitated SAEs that have a c_dec alone."""

import math

import pytest
import torch
from torch import Tensor

from sbw.lockstep.trainer import STEER_EVERY
from sbw.verdict.automatic_l0 import HELD_FROM, SPREAD, L0Steering

LOOKS, D_SAE = 146, 50


def with_pairwise_cosine(c: float) -> Tensor:
    """Directions of which every two have the cosine c."""
    return torch.eye(D_SAE, 100) * math.sqrt(1 - c) + torch.eye(D_SAE + 1, 100)[-1] * math.sqrt(c)


def settled(k: float, right: float) -> float:
    """The c_dec of an SAE trained at k for long: below the right L0 it mixes."""
    return 0.01 + 0.08 * max(0.0, math.log(right / k))


def steered(start: float, right: float, *, drift: float = 0.0) -> L0Steering:
    """Steer SAEs whose c_dec goes half of the way to its value for k between two looks, and drifts."""
    steer = L0Steering(start, LOOKS * STEER_EVERY, D_SAE)
    c_dec = [0.1, 0.08]
    for look in range(LOOKS):
        ks = steer([with_pairwise_cosine(c + drift * look) for c in c_dec])
        c_dec = [0.5 * c + 0.5 * settled(k, right) for c, k in zip(c_dec, ks, strict=True)]
    return steer


@pytest.mark.parametrize("right", [5.0, 11.0, 20.0])
@pytest.mark.parametrize("start", [3.0, 11.0, 25.0])
@pytest.mark.parametrize("drift", [-5e-5, 0.0, 1e-4])
def test_ends_at_the_right_l0_from_below_and_above(start: float, right: float, drift: float) -> None:
    assert steered(start, right, drift=drift).l0 == pytest.approx(right, rel=0.15)


def test_goes_down_where_nothing_depends_on_l0() -> None:
    assert steered(25.0, 0.5).l0 < 3


def test_l0_stays_between_1_and_what_the_saes_have() -> None:
    assert all(point.l0 >= 1 for point in steered(2.0, 0.1).path)
    assert all(point.l0 * math.exp(SPREAD) <= D_SAE + 1e-9 for point in steered(40.0, 500.0).path)


def test_saes_swap_sides_at_every_look_and_end_at_one_l0() -> None:
    steer = L0Steering(10.0, 100 * STEER_EVERY, D_SAE)
    decoders = [with_pairwise_cosine(0.02)] * 4
    ks = [steer(decoders) for _ in range(100)]
    low, high = 10 * math.exp(-SPREAD), 10 * math.exp(SPREAD)
    assert ks[0] in ([low, high] * 2, [high, low] * 2)
    assert (ks[1][0] > ks[1][1]) != (ks[0][0] > ks[0][1])
    assert [len(set(k)) for k in ks[round(100 * HELD_FROM) :]] == [1] * round(100 * (1 - HELD_FROM))


def test_the_path_has_the_step_l0_and_c_dec_of_each_look() -> None:
    path = steered(3.0, 11.0).path
    assert [point.step for point in path[:3]] == [0, STEER_EVERY, 2 * STEER_EVERY]
    assert path[0].l0 == 3
    assert path[0].c_dec == pytest.approx(0.09, rel=1e-4)
