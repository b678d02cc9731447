"""The sparse layout: when it is chosen, and that it changes only rounding."""

import pytest
import torch

from sbw.lockstep.sparse import DENSITY, is_faster
from sbw.saes.schedule import KSchedule
from sbw.saes.untrained import initial_transition_sae
from sbw.toy.model import Toy
from tests.sbw.lockstep.trainers import SAE, batches, batchtopk, largest_difference, trained_in_lockstep


@pytest.mark.parametrize(
    ("sae", "faster"),
    [
        (batchtopk(11, 50), False),  # the paper's: too small
        (batchtopk(10, 512, d_in=128), True),
        (batchtopk(DENSITY * 512, 512, d_in=128), False),
        (batchtopk(1, 127, d_in=128), False),
        (batchtopk(1, 128, d_in=128), True),
        (initial_transition_sae(KSchedule(100, 10, 0, 0.5), 100, 128, 512, 0), False),  # it begins dense
        (initial_transition_sae(KSchedule(1, 10, 0, 0.5), 100, 128, 512, 0), True),
    ],
)
def test_few_active_latents_of_a_large_sae_are_faster(sae: SAE, faster: bool) -> None:
    assert is_faster(sae) == faster


def test_it_is_not_chosen_where_torch_has_no_sparse_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    assert not is_faster(batchtopk(10, 512, d_in=128))


def test_the_same_bytes_each_time_and_whatever_trains_beside_it(toy: Toy) -> None:
    data = batches(toy, 40)
    saes: list[SAE] = [batchtopk(k, 200, seed) for k, seed in ((5, 0), (11, 1), (60, 2))]
    together = trained_in_lockstep(saes, data)
    for sae, expected in zip(saes, together, strict=True):
        for processes in (1, 2):
            (alone,) = trained_in_lockstep([sae], data, processes=processes)
            assert largest_difference(alone, expected) == 0


def test_a_latent_that_never_fires_and_a_sample_without_one_are_no_trouble(toy: Toy) -> None:
    data, sae = batches(toy, 5), batchtopk(0.1, 60)  # one sample in ten has an active latent
    (dense,) = trained_in_lockstep([sae], data, layout="dense")
    (sparse,) = trained_in_lockstep([sae], data, layout="sparse")
    assert largest_difference(dense, sparse) < 1e-6
