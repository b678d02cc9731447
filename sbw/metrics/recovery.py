"""SAELens's evaluation of whether an SAE found the true features, on a fixed sample instead of fresh draws.

Shapes: b samples, d width of the activations, f features.
"""

from typing import Any

from jaxtyping import Float
from sae_lens import SAE
from sae_lens.synthetic import (
    FeatureDictionary,
    SyntheticDataEvalResult,
    eval_sae_on_synthetic_data,
)
from torch import Tensor

from sbw.toy.model import Sample


def recovery(sae: SAE[Any], features: FeatureDictionary, sample: Sample) -> SyntheticDataEvalResult:
    """SAELens's `eval_sae_on_synthetic_data` (MCC, uniqueness, dead latents, shrinkage, precision, recall, F1) of an
    SAE on a sample, its noise included."""
    replay: Any = _Replay(sample, features.feature_vectors)
    return eval_sae_on_synthetic_data(sae, replay, replay, num_samples=len(sample.feature_acts))


class _Replay:
    """Gives the sample where SAELens draws features' activations and embeds them."""

    def __init__(self, sample: Sample, feature_vectors: Float[Tensor, "f d"]):
        self._sample, self.feature_vectors = sample, feature_vectors

    def sample(self, rows: int) -> Float[Tensor, "b f"]:
        assert rows == len(self._sample.feature_acts), "the sample is evaluated whole"
        return self._sample.feature_acts

    def __call__(self, feature_acts: Float[Tensor, "b f"]) -> Float[Tensor, "b d"]:  # noqa: ARG002
        return self._sample.activations
