"""SAELens's evaluation of whether an SAE found the true features, on a fixed sample instead of fresh draws.

Shapes: b samples, f features.
"""

from typing import Any, cast

from jaxtyping import Float
from sae_lens import SAE
from sae_lens.synthetic import (
    ActivationGenerator,
    FeatureDictionary,
    SyntheticDataEvalResult,
    eval_sae_on_synthetic_data,
)
from torch import Tensor


def recovery(sae: SAE[Any], features: FeatureDictionary, feature_acts: Float[Tensor, "b f"]) -> SyntheticDataEvalResult:
    """SAELens's `eval_sae_on_synthetic_data` (MCC, uniqueness, dead latents, shrinkage, precision, recall, F1) of an
    SAE on samples with these feature activations."""
    replay = cast(ActivationGenerator, _Replay(feature_acts))
    return eval_sae_on_synthetic_data(sae, features, replay, num_samples=len(feature_acts))


class _Replay:
    def __init__(self, feature_acts: Tensor):
        self.feature_acts = feature_acts

    def sample(self, rows: int) -> Tensor:
        assert rows == len(self.feature_acts), "the sample is evaluated whole"
        return self.feature_acts
