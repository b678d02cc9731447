"""The sections of `figures`: sizes in inches, and what to show."""

from typing import Annotated

from pydantic import Field

from sbw.params.base import Count, Positive, Section


class FigureSize(Section):
    width: Positive
    """Inches."""
    height: Positive
    """Inches."""


class PretrainedL0(Section):
    panel_width: Positive
    """Inches a model's panel is wide."""
    panel_height: Positive
    """Inches a model's panel is high."""
    columns: Count
    """Panels a row."""
    bins: Count
    """Bins of each histogram."""


class Panels(Section):
    columns: Count
    """Panels a row."""
    panel_width: Positive
    """Inches."""
    panel_height: Positive
    """Inches."""


class Projection(Panels):
    ns: Annotated[list[Count], Field(min_length=1)]
    """The n of each panel's s_n^dec, 1 <= n < sweep.d_sae."""


class PanelPerK(Panels):
    ks: Annotated[list[float], Field(min_length=1)]
    """The k of each panel, among `sweep.ks`."""


class LowL0Mse(FigureSize):
    ks: Annotated[list[float], Field(min_length=1)]
    """The k of each group of bars, among `sweep.ks`."""


class Figures(Section):
    pretrained_l0: PretrainedL0
    pretrained_l0_by: FigureSize
    firing_probabilities: FigureSize
    correlation_matrix: FigureSize
    cosine_heatmap: FigureSize
    projection: Projection
    pairwise_cosine: FigureSize
    tradeoff: FigureSize
    cosine_heatmaps: PanelPerK
    low_l0_mse: LowL0Mse
    histograms: PanelPerK
    intuition: FigureSize
    grid: FigureSize
    """Of the experiments of this kind, as the next three."""
    transition: Panels
    jumprelu: FigureSize
    mixing: FigureSize
    automatic_l0: FigureSize
    recommendation: Panels
    validation: Panels
    awkward: Panels
    """Of the toys of stages/awkward/params.yaml, as the next one."""
    widths: Panels
