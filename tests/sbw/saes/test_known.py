"""The sweep around a known L0: what is learnable by hand, and an even grid in the logarithm."""

import math
import zlib

import numpy as np
import pytest
import torch

from sbw.params.data import Synthesize
from sbw.params.training import Training
from sbw.params.validation import KnownToy, LogSweep
from sbw.saes.experiments.known import learnable_l0, plan
from sbw.synthesis.prior import Known

SWEEP = LogSweep(l0s=11, least=0.3, most=4.0, seeds=[0, 5])
STEP = math.log(4.0 / 0.3) / 10
FEATURES = 24


def known_as(name: str, latents: int | None = None) -> Known:
    """A toy of 24 features of which 4.8 are active."""
    document = {
        "num_features": FEATURES,
        "d_in": 30,
        "d_sae": latents,
        "seed": 5,
        "orthogonalization_steps": 0,
        "firing": {"law": "constant", "probability": 0.2},
        "magnitude": {"law": "constant", "mean": 1.0, "std": 0.1},
        "correlation": {"law": "none"},
    }
    training = Training(samples=1000, batch_size=100, lr=1e-3, stream_seed=0, device="cpu")
    return Known(name, KnownToy.model_validate(document), training)


def swept(known: Known) -> tuple[list[float], float]:
    """The ks of a sweep, one per seed, and the L0 around which they are."""
    toy, sample = known.build(Synthesize(eval_samples=2000, seed=0))
    ks = [sae.keys["k"] for sae in plan(SWEEP, known, toy, sample)]
    assert ks == [k for k in sorted({*ks}) for _ in SWEEP.seeds]
    return sorted({*ks}), learnable_l0(sample.feature_acts, known.toy.latents)


@pytest.mark.parametrize(("latents", "l0"), [(1, 0.75), (2, 1.25), (3, 1.5), (7, 1.5)])
def test_the_learnable_l0_is_of_the_commonest_features(latents: int, l0: float) -> None:
    feature_acts = torch.tensor([[0, 0.1, 9], [1, 2, 0], [0, 3, 0], [0.5, 0, 0]])
    assert learnable_l0(feature_acts, latents) == l0


@pytest.mark.parametrize("latents", [12, None, 48])
@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_the_l0s_are_even_in_the_logarithm_and_within_the_multiples(name: str, latents: int | None) -> None:
    known = known_as(name, latents)
    ks, l0 = swept(known)
    multiples = np.log(ks) - math.log(l0)
    np.testing.assert_allclose(np.diff(multiples), STEP, atol=1e-3)
    assert abs(multiples[0] - math.log(0.3)) <= STEP / 2 + 1e-3
    assert multiples[-1] <= math.log(4.0) + STEP / 2 + 1e-3
    most = 0.75 * known.toy.latents
    assert ks[-1] <= most
    assert len(ks) == SWEEP.l0s or ks[-1] * math.exp(STEP) > most


def test_wide_saes_have_every_l0_and_narrow_ones_have_fewer() -> None:
    assert len(swept(known_as("a", 48))[0]) == SWEEP.l0s
    assert len(swept(known_as("a", 6))[0]) < SWEEP.l0s


def test_the_grid_is_shifted_by_the_toys_name_alone() -> None:
    shifts = {}
    for name in ("a", "b"):
        for latents in (12, 48):
            ks, l0 = swept(known_as(name, latents))
            shifts[name, latents] = (math.log(ks[0] / l0) - math.log(0.3)) / STEP
        assert swept(known_as(name))[0] == swept(known_as(name))[0]
        assert shifts[name, 12] == pytest.approx(shifts[name, 48], abs=1e-3)
        drawn = np.random.default_rng(zlib.crc32(name.encode())).uniform(-0.5, 0.5)
        assert shifts[name, 12] == pytest.approx(drawn, abs=1e-3)
    assert abs(shifts["a", 12] - shifts["b", 12]) > 0.01
