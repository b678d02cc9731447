"""params.yaml as frozen, typed objects. Unknown keys and impossible values are refused by name.

Imports no torch, so that a bad file is refused before anything slow begins.
"""

from sbw.params.base import ParamsError
from sbw.params.cluster import Cluster
from sbw.params.data import CollectL0, Correlation, LinearFiring, ToyParams, ZipfFiring
from sbw.params.document import Params, load_document, load_params
from sbw.params.figures import Figures, FigureSize, LowL0Mse, PanelPerK, Panels, PretrainedL0, Projection
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
    SweepFigures,
    Texts,
)
from sbw.params.training import Experiment, Grid, JumpReLU, Mixing, Ramp, Sweep, Train, Training, Transition
from sbw.params.validation import KnownToy, LogSweep, Validation

__all__ = [
    "Cluster",
    "CollectL0",
    "Correlation",
    "EvalBatches",
    "Experiment",
    "FigureSize",
    "Figures",
    "Grid",
    "JumpReLU",
    "KnownToy",
    "LinearFiring",
    "Llm",
    "LlmBatchTopK",
    "LlmEvals",
    "LlmJumpReLU",
    "LlmSae",
    "LlmSweep",
    "LlmTraining",
    "LogSweep",
    "LowL0Mse",
    "Mixing",
    "PanelPerK",
    "Panels",
    "Params",
    "ParamsError",
    "PretrainedL0",
    "Probing",
    "Projection",
    "Ramp",
    "Sweep",
    "SweepFigures",
    "Texts",
    "ToyParams",
    "Train",
    "Training",
    "Transition",
    "Validation",
    "ZipfFiring",
    "load_document",
    "load_params",
]
