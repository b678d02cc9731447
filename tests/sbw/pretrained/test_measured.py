"""What is streamed is what the metrics say of all samples at once, and what is not measured is said to be NaN."""

import math

import pytest
import torch
from torch import Tensor

import sbw.pretrained.measured
from sbw.metrics.activity import activity
from sbw.metrics.codes import code_metrics
from sbw.metrics.coherence import co_firing, coherence
from sbw.metrics.projection import decoder_projections, nth_projections
from sbw.metrics.reconstruction import reconstruction_errors
from sbw.metrics.streaming import RELATIVE_ERROR
from sbw.pretrained.encoders import Encoder
from sbw.pretrained.measured import measure_sae
from sbw.run.errors import UserError
from sbw.toy.generators import seeded

D, H = 8, 20
X = torch.randn(300, D, generator=seeded(0)) + 0.3
PURSUIT = ("coherence_pursuit", "coherence_null", "co_firing_pursuit", "pursuit_error")


def encoder(h: int = H, k: int | None = 4) -> Encoder:
    W_dec = torch.randn(h, D, generator=seeded(1))
    b_enc = torch.randn(h, generator=seeded(2)) / 2
    b_enc[0], b_enc[1] = -100.0, 100.0
    return Encoder(W_dec.T.contiguous(), b_enc, W_dec, torch.randn(D, generator=seeded(3)), True, k)


def by_hand(sae: Encoder, x: Tensor) -> dict[str, float]:
    codes = sae.encode(x)
    errors = reconstruction_errors(x, codes @ sae.W_dec + sae.b_dec)
    fired = (codes > 0).double().mean(dim=0)
    return {
        "d_in": D,
        "d_sae": len(sae.W_dec),
        "rows": len(x),
        "l0": fired.sum().item(),
        "dead_latents": int((fired == 0).sum()),
        "dense_latents": int((fired > 0.1).sum()),
        "mse": errors.mse,
        "variance_explained_about_zero": errors.variance_explained_about_zero,
        **code_metrics(codes, x, sae.W_dec, sae.b_dec),
    }


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbw.pretrained.measured, "WIDE", H - 1)
    monkeypatch.setattr(sbw.pretrained.measured, "PAIRED", 10)
    monkeypatch.setattr("sbw.pretrained.wide._AT_ONCE", 100)  # in several parts


@pytest.mark.parametrize("batches", [1, 7])
def test_it_is_what_the_metrics_say_of_all_at_once(batches: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbw.pretrained.measured, "_AT_ONCE", 100 * H)
    sae = encoder()
    measured = measure_sae(sae, X.tensor_split(batches))
    assert measured.columns == pytest.approx(by_hand(sae, X), rel=1e-5, abs=1e-6)
    exact = nth_projections(decoder_projections(X, sae.W_dec, sae.b_dec))
    torch.testing.assert_close(measured.s_n, exact, rtol=1.01 * RELATIVE_ERROR, atol=2e-6)
    assert 0 < measured.columns["dead_latents"] < measured.columns["dense_latents"] < H


def test_codes_are_of_the_first_samples_and_sums_of_all() -> None:
    sae, rows = encoder(), 130
    measured = measure_sae(sae, torch.split(X, 50), rows_for_codes=rows)
    of_all, of_first = by_hand(sae, X), by_hand(sae, X[:rows])
    for name in ("rows", "l0", "mse", "coherence", "coherent_latents", "variance_explained_about_zero"):
        assert measured.columns[name] == pytest.approx(of_all[name], rel=1e-5)
    for name in (*PURSUIT, "co_firing", "weakest", "code_spread"):
        assert measured.columns[name] == pytest.approx(of_first[name], rel=1e-5)
        assert measured.columns[name] != pytest.approx(of_all[name], rel=1e-5)
    exact = nth_projections(decoder_projections(X[:rows], sae.W_dec, sae.b_dec))
    torch.testing.assert_close(measured.s_n, exact, rtol=1.01 * RELATIVE_ERROR, atol=2e-6)


def test_no_more_codes_are_kept_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbw.pretrained.measured, "KEPT", 130 * H)
    measured, of_first = measure_sae(encoder(), torch.split(X, 50)), by_hand(encoder(), X[:130])
    for name in (*PURSUIT, "co_firing", "weakest", "code_spread"):
        assert measured.columns[name] == pytest.approx(of_first[name], rel=1e-5)


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("k", [4, None])
def test_with_many_latents_products_are_sparse_and_pairs_of_some(
    k: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sbw.pretrained.measured, "PURSUED", 100)
    sae, some = encoder(k=k), torch.arange(0, H, 2)
    measured, expected = measure_sae(sae, torch.split(X, 70)), by_hand(sae, X)
    expected["co_firing"] = co_firing(sae.encode(X)[:, some], sae.W_dec[some])
    by_pursuit = {name: expected.pop(name) for name in PURSUIT}
    assert {name: measured.columns[name] for name in expected} == pytest.approx(expected, rel=1e-5, abs=1e-6)
    of_first = by_hand(sae, X[:100])
    if (
        k is None
    ):  # more active latents than dimensions: the refit of `pursue` has not converged, the exact one errs less
        assert measured.columns["pursuit_error"] < of_first["pursuit_error"]
        return
    for name in ("coherence_pursuit", "coherence_null", "pursuit_error"):
        assert measured.columns[name] == pytest.approx(of_first[name], rel=0.03)
        assert measured.columns[name] != pytest.approx(by_pursuit[name], rel=1e-3)
    assert measured.columns["co_firing_pursuit"] == pytest.approx(of_first["co_firing_pursuit"], abs=0.02)


@pytest.mark.usefixtures("wide")
def test_with_many_latents_active_codes_are_kept_until_there_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbw.pretrained.measured, "KEPT", 4 * 60)
    sae = encoder()
    measured = measure_sae(sae, torch.split(X, 50))
    assert measured.columns["weakest"] == pytest.approx(activity(sae.encode(X[:100]), sae.W_dec).weakest, rel=1e-5)


def test_features_at_right_angles_have_no_coherence_and_half_a_feature_each_has() -> None:
    codes = torch.rand(500, D, generator=seeded(4)) * (torch.rand(500, D, generator=seeded(5)) < 0.3)
    eye, zero = torch.eye(D), torch.zeros(D)
    assert measure_sae(Encoder(eye, zero, eye, zero, False), [codes]).columns["coherence"] == pytest.approx(0, abs=1e-6)
    tilted = eye + 0.5 * eye.roll(1, dims=1)
    columns = measure_sae(Encoder(eye, zero, tilted, zero, False), [codes]).columns
    assert columns["coherence"] == pytest.approx(coherence(codes, tilted), rel=1e-5)
    assert columns["coherence"] > 0.1
    assert columns["coherent_latents"] == 1


@pytest.mark.parametrize("latents", [H, H - 2])
def test_an_sae_that_never_fires_is_measured(latents: int, wide: None) -> None:
    sae = encoder(latents)._replace(b_enc=torch.full((latents,), -1000.0))
    columns = measure_sae(sae, [X]).columns
    assert (columns["l0"], columns["dead_latents"], columns["dense_latents"]) == (0, latents, 0)
    assert columns["mse"] == pytest.approx((X - sae.b_dec).square().sum(dim=1).mean().item())
    assert math.isnan(columns["coherence"])
    assert math.isnan(columns["weakest"])


def test_activations_of_another_width_or_none_are_refused() -> None:
    with pytest.raises(UserError, match="the activations have a width of 7, but the SAE reads 8"):
        measure_sae(encoder(), [X[:, :7]])
    for none in ([], [X[:0]]):
        with pytest.raises(UserError, match="no activations to measure an SAE on"):
            measure_sae(encoder(), none)
