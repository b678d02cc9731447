"""Draws come from the generator that is handed in, and leave the global one alone."""

import torch

from sbw.toy.generators import drawing_from, seeded


def test_global_draws_come_from_the_generator_and_move_it_on() -> None:
    ours, reference = seeded(3), seeded(3)
    outside = torch.get_rng_state()
    with drawing_from(ours):
        drawn = torch.rand(5)
    assert torch.equal(drawn, torch.rand(5, generator=reference))
    assert torch.equal(torch.rand(5, generator=ours), torch.rand(5, generator=reference))
    assert torch.equal(torch.get_rng_state(), outside)
