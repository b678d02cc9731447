"""Draws toys from a prior: the laws that a set of toys has, and how often."""

from typing import Any, NamedTuple

import numpy as np

from sbw.params.data import Synthesize
from sbw.params.toys import ZipfFiring
from sbw.params.training import Training
from sbw.params.validation import Cell, KnownToy, Prior, Validation
from sbw.synthesis.laws import build_toy, firing_probabilities
from sbw.toy.generators import seeded
from sbw.toy.model import Sample, Toy

GREATEST_RATE = 0.8
"""Toys of which a feature fires more often than this are drawn anew."""


class Known(NamedTuple):
    """A toy with a known L0, and how SAEs are trained on it."""

    name: str
    toy: KnownToy
    training: Training

    def build(self, params: Synthesize) -> tuple[Toy, Sample]:
        """The toy, and its evaluation sample."""
        toy = build_toy(self.toy, f"toys.{self.name}")
        return toy, toy.observe(params.eval_samples, seeded(params.seed))


def toys_of(params: Validation, cell: Cell) -> list[Known]:
    """The toys of a cell: drawn from their set's prior, or those of the params with each of the set's noises."""
    of_set, wanted = params.sets[cell.set], range(*cell.toys)
    if of_set.prior:
        return [_drawn(f"{cell.set}_{i}", of_set.prior, of_set.training, i) for i in wanted]
    listed = [
        Known(
            name if noise is None else f"{name}_{noise.law}", toy.model_copy(update={"noise": noise}), of_set.training
        )
        for noise in of_set.noise
        for name, toy in params.toys.items()
    ]
    return [listed[i] for i in wanted]


def _drawn(name: str, prior: Prior, training: Training, i: int) -> Known:
    rng = np.random.default_rng([prior.seed, i])
    while (document := _laws(rng, prior)) is None:
        pass
    samples = round(training.samples * _between(rng, prior.length))
    return Known(name, KnownToy.model_validate(document), training.model_copy(update={"samples": samples}))


def _laws(rng: np.random.Generator, prior: Prior) -> dict[str, Any] | None:
    """A toy's section of the params; None where its L0 is too great for its features."""
    f = round(_between(rng, prior.num_features))
    latents = f if rng.random() < prior.as_many else round(f * _between(rng, prior.latents))
    correlation, firing = _correlation(rng), _firing(rng, f, _between(rng, prior.true_l0))
    tree = {"total_root_nodes": f // 4, "branching_factor": 3, "max_depth": 1, "compensate_probabilities": True}
    document = {
        "num_features": f,
        "d_in": round(f * _between(rng, prior.width)),
        "d_sae": latents,
        "seed": int(rng.integers(2**31)),
        "orthogonalization_steps": 200,
        "firing": firing,
        "magnitude": _magnitude(rng, _between(rng, prior.spread)),
        "correlation": correlation,
        "hierarchy": tree if correlation["law"] in ("none", "low_rank") and rng.random() < 1 / 3 else None,
        "noise": None if rng.random() < prior.clean else _noise(rng, _between(rng, prior.noise)),
    }
    return document if firing["max"] <= GREATEST_RATE else None


def _firing(rng: np.random.Generator, f: int, l0: float) -> dict[str, Any]:
    """Rates that sum up to the L0: all alike, or falling in a line or as a power of the rank."""
    if rng.random() < 1 / 4:
        return {"law": "linear", "max": l0 / f, "min": l0 / f}
    least = _between(rng, (0.05, 0.5))
    if rng.random() < 1 / 2:
        most = 2 * l0 / (f * (1 + least))
        return {"law": "linear", "max": most, "min": least * most}
    exponent = rng.uniform(0.3, 1.0)
    of_one = firing_probabilities(ZipfFiring(law="zipf", max=1.0, min=least, exponent=exponent), f).sum().item()
    return {"law": "zipf", "max": l0 / of_one, "min": least * l0 / of_one, "exponent": exponent}


def _magnitude(rng: np.random.Generator, std: float) -> dict[str, Any]:
    law = rng.choice(["constant", "constant", "exponential", "folded_normal"])
    if law == "constant":
        return {"law": "constant", "mean": 1.0, "std": std}
    if law == "exponential":
        start = _between(rng, (0.5, 2.0))
        return {"law": "exponential", "start": start, "end": 1 / start, "std": std}
    return {"law": "folded_normal", "mean": 1.0, "spread": rng.uniform(0.1, 0.4), "std": std}


def _correlation(rng: np.random.Generator) -> dict[str, Any]:
    law = rng.choice(["none", "random", "random", "low_rank"])
    if law == "none":
        return {"law": "none"}
    seed = int(rng.integers(2**31))
    if law == "low_rank":
        return {"law": "low_rank", "rank": int(rng.integers(2, 7)), "scale": rng.uniform(0.1, 0.35), "seed": seed}
    weak, strong = (0.1, 0.4), (0.3, 0.9)
    least, most = strong if rng.random() < 1 / 2 else weak
    shares = {"uncorrelated": rng.uniform(0.2, 0.8), "positive": rng.uniform(0.3, 0.8)}
    return {"law": "random", **shares, "min_strength": least, "max_strength": most, "seed": seed}


def _noise(rng: np.random.Generator, scale: float) -> dict[str, Any]:
    if rng.random() < 2 / 3:
        return {"law": "gaussian", "scale": scale}
    return {"law": "low_rank", "rank": int(rng.integers(1, 5)), "scale": 3 * scale, "seed": int(rng.integers(2**31))}


def _between(rng: np.random.Generator, ends: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(ends))))
