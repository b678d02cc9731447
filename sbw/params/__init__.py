"""The params as frozen, typed objects. Unknown keys and impossible values are refused by name.

Imports no torch, so that a bad file is refused before anything slow begins.
"""

from sbw.params.cluster import Cluster
from sbw.params.data import CollectL0
from sbw.params.document import Params
from sbw.params.llm import (
    EvalBatches,
    Llm,
    LlmBatchTopK,
    LlmEvals,
    LlmJumpReLU,
    LlmSae,
    LlmSweep,
    LlmTraining,
    Probing,
    Texts,
)
from sbw.params.toys import (
    ConstantFiring,
    ConstantMagnitude,
    Correlation,
    ExponentialMagnitude,
    Firing,
    FoldedNormalMagnitude,
    Hierarchy,
    LinearFiring,
    LinearMagnitude,
    LowRankCorrelation,
    Magnitude,
    NoCorrelation,
    PairCorrelation,
    RandomCorrelation,
    RandomFiring,
    ToyParams,
    ZipfFiring,
)
from sbw.params.training import Experiment, Grid, JumpReLU, Mixing, Ramp, Sweep, Train, Training, Transition
from sbw.params.validation import KnownToy, LogSweep, Validation

__all__ = [
    "Cluster",
    "CollectL0",
    "ConstantFiring",
    "ConstantMagnitude",
    "Correlation",
    "EvalBatches",
    "Experiment",
    "ExponentialMagnitude",
    "Firing",
    "FoldedNormalMagnitude",
    "Grid",
    "Hierarchy",
    "JumpReLU",
    "KnownToy",
    "LinearFiring",
    "LinearMagnitude",
    "Llm",
    "LlmBatchTopK",
    "LlmEvals",
    "LlmJumpReLU",
    "LlmSae",
    "LlmSweep",
    "LlmTraining",
    "LogSweep",
    "LowRankCorrelation",
    "Magnitude",
    "Mixing",
    "NoCorrelation",
    "PairCorrelation",
    "Params",
    "Probing",
    "Ramp",
    "RandomCorrelation",
    "RandomFiring",
    "Sweep",
    "Texts",
    "ToyParams",
    "Train",
    "Training",
    "Transition",
    "Validation",
    "ZipfFiring",
]
