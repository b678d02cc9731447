"""The section `figures`: what the figures show."""

from typing import Annotated

from pydantic import Field

from sbw.params.base import Count, Section

FAMILIES = {
    "pretrained": ["pretrained_l0", "pretrained_l0_by"],
    "toy": ["firing_probabilities", "correlation_matrix"],
    "train": ["cosine_heatmap"],
    "sweep": ["projection", "pairwise_cosine", "coherence", "tradeoff", "cosine_heatmaps", "low_l0_mse", "histograms"],
    "automatic_l0": ["automatic_l0"],
    "recommendation": ["recommendation", "evidence"],
    "theory": ["intuition"],
    "validation": ["known_toys"],
}
"""The figures of each family; one process draws a family from one folder of tables."""


class Histogram(Section):
    bins: Count
    """Bins of each histogram."""


class Projection(Section):
    ns: Annotated[list[Count], Field(min_length=1)]
    """The n of each panel's s_n^dec, 1 <= n < sweep.d_sae."""


class PerK(Section):
    ks: Annotated[list[float], Field(min_length=1)]
    """The k of each panel or group of bars, in `sweep.cells`."""


class PretrainedFigures(Section):
    pretrained_l0: Histogram


class SweepFigures(Section):
    projection: Projection
    cosine_heatmaps: PerK
    low_l0_mse: PerK
    histograms: PerK


class Figures(Section):
    pretrained: PretrainedFigures
    sweep: SweepFigures
