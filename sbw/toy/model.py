"""A toy model: known features, sparse and correlated, embedded in the space that an SAE is trained on.

Shapes: f features, d width of the activations, b batch.
"""

import warnings
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from sae_lens.synthetic import ActivationGenerator, FeatureDictionary, SyntheticModel
from safetensors.torch import save_file
from torch import Tensor

from sbw.files import load_tensors
from sbw.run.errors import reading, require_finite
from sbw.toy.generators import drawing_from, seeded

MASSIVE = 4096
"""Features from which a stream takes SAELens's sparse tensors: at 16,384 it embeds a batch ten times as fast."""
_MODEL, _NOISE = "synthetic_model", "noise.safetensors"


@dataclass(frozen=True)
class Noise:
    """Gaussian noise that is added to the activations, which no feature explains."""

    scale: float
    """Standard deviation along each direction."""
    directions: Float[Tensor, "r d"]
    """Orthonormal rows; of `d` of them, the dimensions themselves are taken."""

    def draw(self, rows: int, generator: torch.Generator) -> Float[Tensor, "b d"]:
        """Noise of `rows` samples, the transpose of a contiguous [d b]."""
        rank, width = self.directions.shape
        along = self.scale * torch.randn(rank, rows, generator=generator)
        return (along if rank == width else self.directions.T @ along).T


@dataclass(frozen=True)
class Toy:
    """A feature dictionary and the generator of its features' activations, both SAELens's, and perhaps noise."""

    features: FeatureDictionary
    activations: ActivationGenerator
    model: SyntheticModel | None
    """SAELens's model of both; None where a full matrix has the correlations: SAELens has no law for that."""
    noise: Noise | None = None

    def stream(self, batch_size: int, generator: torch.Generator) -> Iterator[Float[Tensor, "b d"]]:
        """Batches of the activations of new samples, without end.

        The same as `observe(sample(batch_size, generator), generator)`, draw for draw. Each batch is the transpose of a
        contiguous [d b], the layout that training wants.
        """
        clean = self._clean_stream(batch_size, generator)
        if self.noise is None:
            return clean
        noise = self.noise
        return (batch + noise.draw(batch_size, generator) for batch in clean)

    def _clean_stream(self, batch_size: int, generator: torch.Generator) -> Iterator[Float[Tensor, "b d"]]:
        matrix, vectors = self.activations.correlation_matrix, self.features.feature_vectors.detach()
        if matrix is not None:
            return (_embed(vectors, acts) for acts in self._correlated(matrix, batch_size, generator))
        if len(vectors) >= MASSIVE:
            return (_embed(vectors, self._sparse(batch_size, generator)) for _ in count())
        return (_embed(vectors, self.sample(batch_size, generator)) for _ in count())

    def sample(self, rows: int, generator: torch.Generator) -> Float[Tensor, "b f"]:
        """Feature activations of `rows` samples, drawn from `generator`."""
        with drawing_from(generator):
            return self.activations.sample(rows)

    @torch.no_grad()
    def embed(self, feature_acts: Float[Tensor, "b f"]) -> Float[Tensor, "b d"]:
        """Each feature's activation times its vector, summed: the activations without their noise."""
        return self.features(feature_acts)

    def observe(self, rows: int, generator: torch.Generator) -> "Sample":
        """What an SAE sees of `rows` samples, drawn from `generator`: the features' activations, then the noise."""
        feature_acts = self.sample(rows, generator)
        clean = self.embed(feature_acts)
        return Sample(feature_acts, clean if self.noise is None else clean + self.noise.draw(rows, generator))

    def _sparse(self, rows: int, generator: torch.Generator) -> Float[Tensor, "b f"]:
        if self.activations.modify_activations is not None:  # SAELens's hierarchies draw differently on sparse tensors
            return self.sample(rows, generator).to_sparse()
        activations = copy(self.activations)
        activations.use_sparse_tensors = True
        with drawing_from(generator), _quiet():
            return activations.sample(rows)

    def _correlated(
        self, matrix: Float[Tensor, "f f"], rows: int, generator: torch.Generator
    ) -> Iterator[Float[Tensor, "b f"]]:
        # SAELens's sampling, to rounding, in less than half the time: the matrix is factorised once, and each feature's
        # values are laid out for every row, since torch adds one row of few columns slowly.
        toy, f = self.activations, self.features.num_features
        per_feature = toy.mean_firing_magnitudes, toy.std_firing_magnitudes, toy.correlation_thresholds
        mean, std, thresholds = (values.expand(rows, f).contiguous() for values in per_feature)
        factor = torch.linalg.cholesky(matrix).T
        while True:
            excess = torch.randn(rows, f, generator=generator).matmul(factor).sub_(thresholds)
            fired = torch.from_numpy(np.flatnonzero(excess.numpy() > 0))
            deltas = torch.zeros(rows * f)
            deltas.scatter_(0, fired, torch.randn(len(fired), generator=generator))
            magnitudes = torch.addcmul(mean, deltas.view(rows, f), std).relu_()
            yield torch.ops.aten.threshold_backward(magnitudes, excess, 0.0)  # 0 where nothing exceeds, in one pass


@dataclass(frozen=True)
class Sample:
    """The fixed evaluation sample: the features' activations and the activations that an SAE sees."""

    feature_acts: Float[Tensor, "b f"]
    activations: Float[Tensor, "b d"]


def with_correlations(toy: Toy, matrix: Float[Tensor, "f f"]) -> Toy:
    """The toy with its features correlated by the matrix alone."""
    return replace(_assemble(**_tensors(toy, matrix)), noise=toy.noise)


def with_hub(toy: Toy, rho: float) -> Toy:
    """The toy with feature 0 correlated by `rho` with every other feature, and no other correlation.

    `rho` is lowered by 1e-5 of itself, since the greatest possible one, 1 / √(f − 1), has no Cholesky factor.
    """
    matrix = torch.eye(toy.features.num_features)
    matrix[0, 1:] = matrix[1:, 0] = rho * (1 - 1e-5)
    return with_correlations(toy, matrix)


def true_l0(feature_acts: Float[Tensor, "b f"]) -> float:
    """Mean number of features with an activation above 0 per sample."""
    return (feature_acts > 0).sum(dim=1).double().mean().item()


def save_toy(toy: Toy, folder: Path) -> None:
    """Write a toy: its SAELens model, if it has one, as a folder that `SyntheticModel.load_from_disk` reads, else
    `toy.safetensors`; and its noise, if it has any, as `noise.safetensors`.
    """
    matrix = toy.activations.correlation_matrix
    if toy.model:
        toy.model.save(folder / _MODEL)
    else:
        assert matrix is not None, "a toy without a model has a matrix"
        save_file(_tensors(toy, matrix), folder / "toy.safetensors")
    if toy.noise:
        scale = torch.tensor(toy.noise.scale, dtype=torch.double)
        save_file({"scale": scale, "directions": toy.noise.directions}, folder / _NOISE)


def load_toy(folder: Path) -> Toy:
    """Read the toy that `save_toy` wrote.

    Raises:
        FileNotFoundError, UserError: a file is missing or not readable, or the toy cannot be sampled.
    """
    path = folder / _MODEL if (folder / _MODEL).is_dir() else folder / "toy.safetensors"
    with reading(path, "toy"):
        toy = _read_model(path) if path.is_dir() else _assemble(**load_tensors(path))
        require_finite({"activations": toy.observe(1, seeded(0)).activations}, path)
    if not (folder / _NOISE).exists():
        return toy
    with reading(folder / _NOISE, "noise of this toy"):
        tensors = load_tensors(folder / _NOISE)
        noisy = replace(toy, noise=Noise(tensors["scale"].item(), tensors["directions"]))
        require_finite({"activations": noisy.observe(1, seeded(0)).activations}, folder / _NOISE)
    return noisy


def save_sample(sample: Sample, toy: Toy, folder: Path) -> None:
    """Write a toy's evaluation sample, `sample.safetensors`: without noise, the features' activations alone."""
    tensors = {"feature_acts": sample.feature_acts}
    if toy.noise:
        tensors["activations"] = sample.activations.contiguous()
    save_file(tensors, folder / "sample.safetensors")


def load_sample(toy: Toy, folder: Path) -> Sample:
    """Read the evaluation sample that `save_sample` wrote; raises as `load_toy` does."""
    path = folder / "sample.safetensors"
    with reading(path, "sample of this toy"):
        tensors = load_tensors(path)
        clean = toy.embed(tensors["feature_acts"])
        return Sample(tensors["feature_acts"], tensors["activations"].view_as(clean) if toy.noise else clean)


def _read_model(folder: Path) -> Toy:
    with drawing_from(seeded(0)):  # SAELens draws vectors before it reads them
        model = SyntheticModel.load_from_disk(folder)
    return Toy(model.feature_dict, model.activation_generator, model)


def _tensors(toy: Toy, matrix: Float[Tensor, "f f"]) -> dict[str, Tensor]:
    """The arguments of `_assemble`."""
    acts = toy.activations
    return {
        "feature_vectors": toy.features.feature_vectors.detach(),
        "firing_probabilities": acts.firing_probabilities,
        "mean_magnitudes": acts.mean_firing_magnitudes,
        "std_magnitudes": acts.std_firing_magnitudes,
        "correlation_matrix": matrix,
    }


def _assemble(
    feature_vectors: Float[Tensor, "f d"],
    firing_probabilities: Float[Tensor, " f"],
    mean_magnitudes: Float[Tensor, " f"],
    std_magnitudes: Float[Tensor, " f"],
    correlation_matrix: Float[Tensor, "f f"],
) -> Toy:
    count, width = feature_vectors.shape
    features = FeatureDictionary(count, width, initializer=None, seed=0)
    features.feature_vectors.data = feature_vectors
    activations = ActivationGenerator(
        count,
        firing_probabilities,
        std_firing_magnitudes=std_magnitudes,
        mean_firing_magnitudes=mean_magnitudes,
        correlation_matrix=correlation_matrix,
    )
    return Toy(features, activations, None)


def _quiet() -> "warnings.catch_warnings[None]":
    return warnings.catch_warnings(category=UserWarning, action="ignore")  # torch warns that sparse tensors are in beta


def _embed(vectors: Float[Tensor, "f d"], feature_acts: Float[Tensor, "b f"]) -> Float[Tensor, "b d"]:
    if feature_acts.is_sparse:
        with _quiet():
            return (feature_acts @ vectors).T.contiguous().T
    return (vectors.T @ feature_acts.T).T
