"""The streamed s_n is the sorted one, to its stated error, however the samples come."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sbw.metrics.projection import decoder_projections, nth_projections
from sbw.metrics.streaming import RELATIVE_ERROR, StreamedProjections
from sbw.toy.generators import seeded


@settings(deadline=None, max_examples=30)
@given(
    rows=st.integers(1, 300),
    d=st.integers(1, 12),
    h=st.integers(2, 40),
    scale=st.floats(1e-6, 1e6),
    shift=st.floats(-3, 3),
    batches=st.integers(1, 4),
)
def test_is_the_sorted_one_to_its_error(rows: int, d: int, h: int, scale: float, shift: float, batches: int) -> None:
    x = scale * (torch.randn(rows, d, generator=seeded(0)) + shift)
    W_dec, b_dec = torch.randn(h, d, generator=seeded(1)), scale * torch.randn(d, generator=seeded(2))
    streamed = StreamedProjections(W_dec, b_dec)
    for batch in x.tensor_split(batches):
        streamed.add(batch)
    exact = nth_projections(decoder_projections(x, W_dec, b_dec))
    torch.testing.assert_close(streamed.s_n(), exact, rtol=1.01 * RELATIVE_ERROR, atol=2e-6 * scale)


def test_many_projections_are_counted_in_parts() -> None:
    x, W_dec = torch.randn(100, 4, generator=seeded(0)), torch.randn(8, 4, generator=seeded(1))
    whole, parts = (StreamedProjections(W_dec, torch.zeros(4)) for _ in range(2))
    whole.add(x)
    for row in x:
        parts.add(row[None])
    assert (whole.counts == parts.counts).all()
    assert whole.rows == parts.rows == 100
    assert whole.counts.sum() == 800


def test_the_middle_of_a_bin_is_in_it() -> None:
    """Zero and what is next to it are the hardest: signs change there."""
    streamed = StreamedProjections(torch.eye(3), torch.zeros(3))
    streamed.add(torch.tensor([[0.0, 1.0, -1.0]]))
    torch.testing.assert_close(streamed.s_n(), torch.tensor([0.0, -1.0]), rtol=RELATIVE_ERROR, atol=1e-37)
