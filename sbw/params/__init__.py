"""The params as frozen, typed objects: one class per file of params here, their sections in the modules.

Unknown keys and impossible values are refused by name. Imports no torch, so that a bad file is refused before anything
slow begins.
"""

from sbw.params.document import Params
from sbw.params.figures import Figures, FigureSize, LowL0Mse, PanelPerK, Panels, PretrainedL0, Projection
from sbw.params.llm import Llm, SweepFigures
from sbw.params.validation import Validation

__all__ = [
    "FigureSize",
    "Figures",
    "Llm",
    "LowL0Mse",
    "PanelPerK",
    "Panels",
    "Params",
    "PretrainedL0",
    "Projection",
    "SweepFigures",
    "Validation",
]
