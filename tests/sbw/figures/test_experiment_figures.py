"""The figures of the experiments, of low L0, of the projections and of public SAEs draw what their tables hold."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from sbw.metrics.theory import DISENTANGLED, MIXED
from tests.sbw.figures.drawn import (
    SAES,
    SHOWN,
    coefficients,
    drawn,
    errors,
    grid_of_one_k,
    histograms,
    mixed,
    placed,
    ramps,
    rule_of,
)


def dots(axes: Axes) -> list[tuple[float, float]]:
    lines = [line.get_xydata() for line in axes.lines if line.get_marker() in ("o", ".")]
    return sorted((float(x), float(y)) for x, y in np.vstack(lines))


def heatmap(axes: Axes) -> np.ndarray:
    return np.asarray(axes.collections[0].get_array()).reshape(6, 5)


def test_pretrained_l0_by_leaves_out_what_the_ids_do_not_say() -> None:
    figure = drawn("pretrained_l0_by", placed())
    assert figure.get_suptitle() == "L0 of 5 public SAEs: 80.0% lie below 100"
    layer, width, site = figure.axes
    assert [axes.get_title() for axes in (layer, width, site)] == ["n = 4 of 5"] * 3
    medians = [segment[0][1] for segment in layer.collections[0].get_segments()]
    assert medians == [40], "a median is of two or more"
    assert [label.get_text() for label in site.get_xticklabels()] == ["residual", "mlp"]
    assert [label.get_text() for label in width.get_xticklabels()] == ["16k", "64k"]
    assert [segment[:, 0].mean() for segment in width.collections[0].get_segments()] == [14]
    assert [len(dots(axes)) for axes in (layer, width, site)] == [4, 4, 4]


def test_low_l0_mse_has_a_pair_of_bars_per_k() -> None:
    (axes,) = drawn("low_l0_mse", errors()).axes
    assert [bar.get_height() for bar in axes.patches] == [1.0, 2.5, 0.5, 4.8]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["k = 9", "k = 5"]
    (bars,) = [bars for bars in axes.collections if isinstance(bars, LineCollection)]
    assert [segment[:, 1].tolist() for segment in bars.get_segments()] == [[0.5, 1.5], [2.0, 3.0]], "of the seeds"
    assert {text.get_text() for text in axes.texts} == {"1.00", "2.50", "0.50", "4.80"}


def test_low_l0_mse_takes_one_k(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SHOWN, "low_l0_mse", {"ks": [9.0]})
    (axes,) = drawn("low_l0_mse", errors()).axes
    assert [bar.get_height() for bar in axes.patches] == [1.0, 0.5]


def test_histograms_are_the_first_seeds_and_name_the_right_k() -> None:
    figure = drawn("histograms", histograms())
    assert [axes.get_title() for axes in figure.axes] == [
        "k = 5: too low",
        "k = 11: right",
        "k = 18: too high",
        "k = 25: too high",
    ]
    for axes, k in zip(figure.axes, SHOWN["histograms"]["ks"], strict=True):
        (stairs,) = axes.patches
        values, edges, _ = stairs.get_data()
        assert values.tolist() == [0.25 * k, 0.75 * k]
        assert edges.tolist() == [-1, 0, 1]


def test_intuition_marks_where_the_rightmost_two_fifths_begin() -> None:
    figure = drawn("intuition", [])
    for axes, mixture in zip(figure.axes, (DISENTANGLED, MIXED), strict=True):
        (s_n,) = rule_of(axes)
        x = np.linspace(-100, 100, 100_001)
        assert mixture.density(x[x >= s_n]).sum() / mixture.density(x).sum() == pytest.approx(0.4, abs=1e-3)
    assert rule_of(figure.axes[0]) < rule_of(figure.axes[1]), "mixing raises s_n"


def test_a_grid_of_one_k_has_a_heatmap_per_seed_at_most_three() -> None:
    figure = drawn("grid", grid_of_one_k())
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["seed 0 (MCC 0.70)", "seed 1 (MCC 0.80)", "seed 2 (MCC 0.90)"]
    assert [heatmap(axes)[0, 0] for axes in figure.axes[:3]] == [1.0, 0.5, 0.25]
    np.testing.assert_allclose(heatmap(figure.axes[0]), np.vstack([np.eye(5), np.zeros(5)]))
    assert figure.get_suptitle() == "Decoders at k = 5, true L0 = 10.90"


def test_a_grid_of_several_ks_has_the_curves() -> None:
    figure = drawn("grid", [grid_of_one_k()[0], SAES])
    np.testing.assert_allclose(np.asarray(figure.axes[0].lines[0].get_ydata()), [0.905, 1.105, 1.405])
    assert rule_of(figure.axes[0]) == [10.9]


def test_a_null_above_all_data_stays_clear_of_the_top() -> None:
    figure = drawn("grid", [grid_of_one_k()[0], SAES.assign(c_dec_over_null=SAES["c_dec"] / 2)])
    for axes in figure.axes:
        assert axes.get_ylim()[1] == pytest.approx(2.24)


def test_transition_has_a_panel_per_ramp_with_its_seeds_mcc() -> None:
    figure = drawn("transition", ramps())
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == [
        "20 → 11 in 15.0 M samples\nMCC 0.95 (0.90–1.00)",
        "2 → 11 in 30.7 M samples\nMCC 0.80 (0.80–0.80)",
    ]
    assert [heatmap(axes)[0, 0] for axes in figure.axes[:2]] == [1.0, 0.1], "each ramp's own first seed"
    assert figure.get_suptitle() == "Decoders of seed 0, true L0 = 10.90; MCC: mean and range of 2 seeds"


def test_jumprelu_is_against_the_l0_that_came_out() -> None:
    c_dec, s_n, coefficient = drawn("jumprelu", coefficients()).axes
    assert dots(c_dec) == [(11, 0.001), (20, 0.09)]
    assert dots(s_n) == [(11, 29), (20, 38)], "n = 18"
    assert dots(coefficient) == [(11, 1.0), (20, 0.1)]
    assert rule_of(s_n) == [10.9]
    assert np.asarray(c_dec.lines[-1].get_ydata())[0] == pytest.approx(0.08)


def test_mixing_is_the_mean_over_latents_against_the_correlation() -> None:
    (axes,) = drawn("mixing", mixed()).axes
    line = next(line for line in axes.lines if np.size(line.get_xdata()) == 3)
    np.testing.assert_allclose(np.asarray(line.get_xdata()), [-0.4, 0, 0.4])
    np.testing.assert_allclose(np.asarray(line.get_ydata()), [-0.075, 0.005, 0.085], atol=1e-12)
    edges = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (edges.min(), edges.max()) == (pytest.approx(-0.08), pytest.approx(0.09)), "least to greatest"
    assert len(dots(axes)) == 3, "a dot per correlation"
    assert axes.get_title() == "k = 1.8; mean and range of 2 seeds"
    assert "correlation" in axes.get_xlabel()


def test_mixing_at_several_ks_has_a_line_per_correlation() -> None:
    figure = drawn("mixing", mixed((1.7, 2.0)))
    (axes,), (legend,) = figure.axes, figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["ρ = −0.4", "ρ = 0", "ρ = +0.4"]
    assert axes.get_xlabel() == "L0 (k)"
    assert rule_of(axes) == [2.0]
