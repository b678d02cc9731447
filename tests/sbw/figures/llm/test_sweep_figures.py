"""The figures of a sweep on a language model draw what their tables hold, at the measured L0."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from sbw.figures.llm import sweep_metrics, sweep_panels, sweep_probing
from sbw.figures.style import styled
from sbw.llm.sweep import Recommended
from tests.sbw.figures.drawn import assert_same_bytes

KS, SEEDS = [5.0, 40.0, 300.0], [0, 1]
VERDICT, NONE = Recommended(40.0, 20.0, 80.0), Recommended(None, None, None)


def saes() -> pd.DataFrame:
    table = pd.DataFrame([(k, seed, 1.1 * k + seed) for k in KS for seed in SEEDS], columns=["k", "seed", "l0"])
    others = {name: 0.1 * table.index.to_series() for name in sweep_metrics._OF_SAES}
    return table.assign(**others)


def curves() -> pd.DataFrame:
    rows = [
        (metric, k, 1.1 * k + seed, math.log(k) + seed)
        for metric in ("c_dec", "w_9", "stability")
        for k in KS
        for seed in SEEDS
    ]
    return pd.DataFrame(rows, columns=["metric", "setting", "l0", "value"]).assign(level=0.9)


def scores() -> pd.DataFrame:
    rows: list[tuple[Any, ...]]
    rows = [(k, 1.1 * k, latents, "f1", 0.6 + latents / 100, 0.5, 0.8, 40) for k in KS for latents in (1, 16)]
    rows += [(math.nan, math.nan, None, "f1", 0.9, 0.85, 0.95, 40), (5.0, 5.5, 1, "auc", 0.1, 0.1, 0.1, 40)]
    columns = ["k", "l0", "latents", "measure", "mean", "low", "high", "datasets"]
    behind = [0.03 if row[0] == KS[0] else 0.01 for row in rows]
    return pd.DataFrame(rows, columns=columns).assign(
        behind=behind, margin=0.02
    )  # as a table is read: a null makes `latents` floats


def histograms() -> pd.DataFrame:
    rows = [(k, s, low, low + 1.0, k * d + s) for k in KS for s in SEEDS for low, d in ((-1.0, 0.2), (0.0, 0.8))]
    return pd.DataFrame(rows, columns=["k", "seed", "from", "to", "density"])


def latents() -> pd.DataFrame:
    density = [0, 1e-4, 1e-3, 1e-3, 0.5]
    coherence = [math.nan, -9.0, 0.1, 0.2, 2.0]
    rows = [(k, s, i, *of) for k in KS for s in SEEDS for i, of in enumerate(zip(density, coherence, strict=True))]
    return pd.DataFrame(rows, columns=["k", "seed", "latent", "density", "coherence"])


def drawn(name: str, verdict: Recommended = VERDICT) -> Figure:
    with styled():
        return {
            "metrics": lambda: sweep_metrics.draw(saes(), curves(), verdict),
            "probing": lambda: sweep_probing.draw(scores(), verdict),
            "projections": lambda: sweep_panels.projections(histograms(), saes(), verdict, KS),
            "densities": lambda: sweep_panels.densities(latents(), saes(), verdict, KS),
            "coherences": lambda: sweep_panels.coherences(latents(), saes(), verdict, KS),
        }[name]()


@pytest.mark.parametrize("name", ["metrics", "probing", "projections", "densities", "coherences"])
def test_the_same_tables_give_the_same_bytes(name: str, tmp_path: Path) -> None:
    assert_same_bytes(lambda: drawn(name), tmp_path)


def test_metrics_are_drawn_at_the_mean_measured_l0_with_the_recommended_one() -> None:
    figure = drawn("metrics")
    assert figure.get_suptitle().endswith("recommended: L0 40, grey, in its 90 % interval")
    assert len(figure.axes) == 3 + len(sweep_metrics._OF_SAES)
    for axes in figure.axes:
        assert axes.get_xscale() == "log"
        assert np.array(axes.lines[0].get_xdata()) == pytest.approx(np.array([6, 44.5, 330.5]))
        assert axes.lines[-1].get_xdata()[0] == 40
    assert np.array(figure.axes[0].lines[0].get_ydata()) == pytest.approx(np.log(KS) + 0.5)
    assert "recommended: L0 40, grey" in figure.get_suptitle()


def test_without_a_recommendation_none_is_drawn() -> None:
    figure = drawn("metrics", NONE)
    lines = [len(axes.lines) for axes in figure.axes]
    assert lines == [1] * (len(figure.axes) - 2) + [2, 2], "the last, of coherence, have a line at 0"
    assert "no L0 is recommended" in figure.get_suptitle()
    assert drawn("projections", NONE).axes[0].get_title() == "L0 5.5"


def test_probing_has_a_line_per_number_of_latents_and_the_baseline() -> None:
    (axes,) = drawn("probing").axes
    lines = {line.get_label(): np.array(line.get_ydata()).tolist() for line in axes.lines}
    assert lines["1 latent"] == pytest.approx([0.61] * 3)
    assert lines["16 latents"] == pytest.approx([0.76] * 3)
    assert lines["all activations"] == [0.9, 0.9]
    hollow = [np.array(line.get_xdata()).tolist() for line in axes.lines if line.get_color() == "white"]
    assert hollow == [pytest.approx([1.1 * KS[0]])] * 2, "where a k is behind the best"
    assert "40 datasets" in axes.get_title()


def test_panels_are_called_by_their_l0_and_its_place() -> None:
    titles = [axes.get_title() for axes in drawn("projections").axes]
    assert titles == ["L0 5.5: too low", "L0 44: right", "L0 330: too high"]
    heights = drawn("projections").axes[2].patches[0].get_data().values
    assert list(heights) == [60, 240]


def test_densities_leave_out_the_dead_and_count_them() -> None:
    axes = drawn("densities").axes[0]
    assert axes.get_title().endswith("1 of 5 never fire")
    assert sum(patch.get_height() for patch in axes.patches) == 4


def test_coherences_are_of_the_latents_that_fire_and_those_beyond_the_axis_are_at_its_edge() -> None:
    axes = drawn("coherences").axes[0]
    assert axes.get_title().endswith("75 % above 0")
    counts = axes.collections[0].get_array()
    assert counts is not None
    assert counts.sum() == 4
    assert counts.reshape(40, 40)[0].sum() == 1, "the one at -9 is in the lowest row"
