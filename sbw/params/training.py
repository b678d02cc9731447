"""The sections that train SAEs: `training`, `train`, `sweep`, `automatic_l0`, and the kinds of `experiments`."""

import math
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from typing_extensions import override

from sbw.params.base import Count, Name, Positive, Section, Seed, Share, found, require, require_distinct

Ks = Annotated[list[float], Field(min_length=1)]
Seeds = Annotated[list[Seed], Field(min_length=1)]


class Training(Section):
    samples: Count
    """Activations to train on, rounded up to whole batches."""
    batch_size: Count
    """Activations per step."""
    lr: Positive
    """Adam's learning rate, constant."""
    stream_seed: Seed
    """Seed of the activations that the SAEs are trained on; SAEs trained together share the stream."""
    device: Annotated[Literal["auto", "cpu", "cuda"], AfterValidator(found)]
    """Where to train; `auto` is a GPU if there is one."""

    def steps(self, samples: int | None = None) -> int:
        """Number of batches of the samples."""
        return -(-(samples or self.samples) // self.batch_size)


class Saes(Section):
    toy: str
    """Name of the toy in `toys` to train on."""
    d_sae: Annotated[int, Field(ge=2)]
    """Number of latents."""

    def require_k(self, key: str, k: float, section: str, training: Training) -> None:
        """Refuse a k that is impossible for an SAE of the section."""
        require(0 < k <= self.d_sae, f"`{key}` must satisfy 0 < k <= {section}.d_sae ({self.d_sae}), got {k:g}")
        batch = training.batch_size
        require(int(k * batch) >= 1, f"`{key}` * `training.batch_size` must be at least 1, got {k:g} * {batch}")

    def require_consistent(self, section: str, training: Training, num_features: int) -> None:  # noqa: ARG002
        """Refuse impossible combinations in the section of that name, for a toy of that many features."""
        for name in ("ks", "seeds", "rhos", "l0_coefficients", "starts"):
            require_distinct(f"{section}.{name}", getattr(self, name, []))
        for key, k in self.trained_ks(section).items():
            self.require_k(key, k, section, training)

    def trained_ks(self, section: str) -> dict[str, float]:
        """The final k of each SAE that is trained for one, by key."""
        return {f"{section}.ks[{i}]": k for i, k in enumerate(getattr(self, "ks", []))}


class Train(Saes):
    seed: Seed
    """Seed of the initial weights."""
    log_every: Count
    """Steps between two points of the training curve, at most those of the training."""

    @override
    def require_consistent(self, section: str, training: Training, num_features: int) -> None:
        super().require_consistent(section, training, num_features)
        message = f"`{section}.log_every` must be at most the steps of `training.samples` ({training.steps()})"
        require(self.log_every <= training.steps(), f"{message}, got {self.log_every}")


class Sweep(Saes):
    cells: Annotated[dict[Name, Ks], Field(min_length=1)]
    """L0s to train SAEs at, each 0 < k <= sweep.d_sae, may be fractional; those of one cell are trained together."""
    d_sae: Annotated[int, Field(ge=3)]
    """Number of latents h; the width s_n - s_(h-n) needs an n below h / 2."""
    seeds: Seeds
    """Seeds of the initial weights, one SAE per seed and k."""

    @property
    def ks(self) -> list[float]:
        """The L0s of all cells, ascending."""
        return sorted(k for ks in self.cells.values() for k in ks)

    @override
    def trained_ks(self, section: str) -> dict[str, float]:
        return {f"{section}.cells.{cell}[{i}]": k for cell, ks in self.cells.items() for i, k in enumerate(ks)}

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        require_distinct("cells", self.ks)
        return self

    def only(self, cell: str) -> "Sweep":
        """The sweep with only that cell."""
        return self.model_copy(update={"cells": {cell: self.cells[cell]}})


class AutomaticL0Params(Saes):
    starts: Annotated[list[Annotated[float, Field(ge=1)]], Field(min_length=1)]
    """L0s to start from, 1 <= start <= d_sae."""
    seeds: Seeds
    """Seeds of the initial weights, one SAE per seed and start; those of one start are trained together, at one L0."""

    @override
    def require_consistent(self, section: str, training: Training, num_features: int) -> None:
        super().require_consistent(section, training, num_features)
        for i, start in enumerate(self.starts):
            rule = f"must satisfy 1 <= start <= {section}.d_sae ({self.d_sae})"
            require(start <= self.d_sae, f"`{section}.starts[{i}]` {rule}, got {start:g}")


class Experiment(Saes):
    seeds: Seeds
    """Seeds of the initial weights; of the activations if the initial weights are the true features."""


class Grid(Experiment):
    kind: Literal["grid"]
    """One SAE per k and seed."""
    ks: Ks
    """L0s to train SAEs at, 0 < k <= d_sae; may be fractional."""
    start: Literal["random", "truth"]
    """Initial weights: drawn from the seed, or the true features."""

    @override
    def require_consistent(self, section: str, training: Training, num_features: int) -> None:
        super().require_consistent(section, training, num_features)
        if self.start == "truth":
            _require_one_latent_per_feature(section, self.d_sae, num_features)


class Ramp(Section):
    initial_k: float
    """L0 at the first step, 0 < k <= d_sae."""
    k: float
    """L0 at the last step, 0 < k <= d_sae."""
    ramp_from: Share
    """Share of the training after which L0 starts to change."""
    ramp_to: Share
    """Share of the training after which L0 stays at `k`; above `ramp_from`, and before the last step."""
    samples: Count
    """Activations to train on."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        message = f"`ramp_to` must be above `ramp_from` ({self.ramp_from}), got {self.ramp_to}"
        require(self.ramp_from < self.ramp_to, message)
        return self


class Transition(Experiment):
    kind: Literal["transition"]
    """SAEs whose L0 changes in training."""
    ramps: Annotated[list[Ramp], Field(min_length=1)]
    """Ramps of L0, one SAE per ramp and seed; their `samples` replace `training.samples`."""

    @override
    def require_consistent(self, section: str, training: Training, num_features: int) -> None:
        super().require_consistent(section, training, num_features)
        for i, ramp in enumerate(self.ramps):
            key, steps = f"{section}.ramps[{i}]", training.steps(ramp.samples)
            self.require_k(f"{key}.initial_k", ramp.initial_k, section, training)
            keys = [(each.initial_k, each.k, each.samples) for each in self.ramps[: i + 1]]
            message = f"`{key}` must differ from those before it in `initial_k`, `k` or `samples`, which name its SAEs"
            require(keys[-1] not in keys[:-1], message)
            message = f"`{key}.ramp_to` must be over by the last of {steps} steps, got {ramp.ramp_to}"
            require(ramp.ramp_to <= (steps - 1) / steps, message)

    @override
    def trained_ks(self, section: str) -> dict[str, float]:
        return {f"{section}.ramps[{i}].k": ramp.k for i, ramp in enumerate(self.ramps)}


class JumpReLU(Experiment):
    kind: Literal["jumprelu"]
    """JumpReLU SAEs with the tanh sparsity loss."""
    l0_coefficients: Annotated[list[Positive], Field(min_length=1)]
    """Coefficients of the sparsity loss, one SAE per coefficient and seed."""
    bandwidth: Positive
    """Width of the rectangular kernel that estimates the gradient of the thresholds."""
    initial_threshold: Positive
    """Threshold of every latent before training."""
    warm_up_steps: Annotated[int, Field(ge=0)]
    """Steps over which the coefficient rises from 0."""


class Mixing(Experiment):
    kind: Literal["mixing"]
    """SAEs started from the true features of a toy whose feature 0 is correlated with all others."""
    rhos: Annotated[list[Annotated[float, Field(ge=-1, le=1)]], Field(min_length=1)]
    """Correlations of feature 0 with each other feature; at most 1 / sqrt(number of others) either way."""
    ks: Ks
    """L0s to train SAEs at per correlation, 0 < k <= d_sae; may be fractional."""

    @override
    def require_consistent(self, section: str, training: Training, num_features: int) -> None:
        super().require_consistent(section, training, num_features)
        _require_one_latent_per_feature(section, self.d_sae, num_features)
        greatest = 1 / math.sqrt(num_features - 1)
        for i, rho in enumerate(self.rhos):
            message = f"`{section}.rhos[{i}]` must be between -{greatest:.4g} and {greatest:.4g}, got {rho:g}"
            require(abs(rho) <= greatest + 1e-12, message)


def _require_one_latent_per_feature(section: str, d_sae: int, num_features: int) -> None:
    rule = f"must be the number of features ({num_features}), since it starts from them"
    require(d_sae == num_features, f"`{section}.d_sae` {rule}, got {d_sae}")


AnyExperiment = Annotated[Grid | Transition | JumpReLU | Mixing, Field(discriminator="kind")]
