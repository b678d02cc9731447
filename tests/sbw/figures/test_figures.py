"""Each figure draws what its table holds, the same bytes each time, without LaTeX."""

import subprocess
import sys
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from sbw.params.figures import FAMILIES
from tests.conftest import ROOT
from tests.sbw.figures.drawn import (
    SHOWN,
    TABLES,
    assert_same_bytes,
    correlations,
    cosines,
    drawn,
    pretrained,
    projections,
    rule_of,
    saes,
    sweep_cosines,
    toy_features,
)

SLOW = {"torch", "scipy", "seaborn", "sae_lens"}


def test_every_figure_is_tested() -> None:
    kinds = {"grid", "transition", "jumprelu", "mixing"}
    assert sorted(TABLES) == sorted([*chain(*FAMILIES.values()), *kinds])


@pytest.mark.parametrize("name", TABLES)
def test_the_same_table_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    assert_same_bytes(lambda: drawn(name, TABLES[name]()), tmp_path)


def test_pretrained_l0_has_a_panel_per_selected_model() -> None:
    figure = drawn("pretrained_l0", pretrained(3))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == [f"model-{m} (n = 3)\nmean 30.0, median 20" for m in range(3)]
    for axes in figure.axes:
        assert [np.asarray(line.get_xdata())[0] for line in axes.lines] == [30, 20]
        assert sum(bar.get_height() for bar in axes.patches) == 3
    assert "9 public SAEs of 3 models, median 20" in figure.get_suptitle()


@pytest.mark.parametrize("models", [1, 4, 5, 16, 17])
def test_pretrained_l0_takes_any_number_of_models(models: int) -> None:
    assert len(drawn("pretrained_l0", pretrained(models)).axes) == models


def test_firing_probabilities_are_the_bars() -> None:
    (axes,) = drawn("firing_probabilities", toy_features()).axes
    assert [bar.get_height() for bar in axes.patches] == [0.5, 0.4, 0.3, 0.2, 0.1]
    assert "1.50" in axes.get_title()


def test_correlation_matrix_is_the_table() -> None:
    axes = drawn("correlation_matrix", correlations()).axes[0]
    expected = 0.1 * (np.arange(5)[:, None] - np.arange(5))
    np.testing.assert_allclose(axes.collections[0].get_array().reshape(5, 5), expected)


def test_cosine_heatmap_puts_matched_features_on_the_diagonal_and_the_rest_last() -> None:
    figure = drawn("cosine_heatmap", cosines())
    decoder = figure.axes[1].collections[0].get_array().reshape(6, 5)
    np.testing.assert_allclose(decoder, np.vstack([np.eye(5), np.zeros(5)]))
    assert figure.get_suptitle() == "k = 9, true L0 = 10.95: MCC = 0.912"


def test_projection_has_a_panel_per_n_with_mean_band_and_rule() -> None:
    figure = drawn("projection", projections())
    assert [axes.get_title() for axes in figure.axes] == [f"n = {n}" for n in SHOWN["projection"]["ns"]]
    for axes, n in zip(figure.axes, SHOWN["projection"]["ns"], strict=True):
        np.testing.assert_allclose(np.asarray(axes.lines[0].get_xdata()), [9, 11, 14])
        np.testing.assert_allclose(np.asarray(axes.lines[0].get_ydata()), n / 100 + 0.1 * np.array([9, 11, 14]) + 0.005)
        edges = axes.collections[0].get_paths()[0].vertices[:, 1]
        assert edges.min() == pytest.approx(n / 100 + 0.9)
        assert edges.max() == pytest.approx(n / 100 + 1.41)
        assert rule_of(axes) == [10.9]
    assert "2 seeds" in figure.get_suptitle()


def test_pairwise_cosine_has_both_sides_the_null_and_the_rule() -> None:
    decoder, encoder = drawn("pairwise_cosine", saes()).axes
    np.testing.assert_allclose(np.asarray(decoder.lines[0].get_ydata()), [0.905, 1.105, 1.405])
    np.testing.assert_allclose(np.asarray(encoder.lines[0].get_ydata()), [0.18, 0.22, 0.28])
    for axes in (decoder, encoder):
        assert np.asarray(axes.lines[1].get_ydata())[0] == pytest.approx(0.08)
        assert rule_of(axes) == [10.9]


def test_coherence_has_the_trained_alone_a_line_at_0_and_the_rule() -> None:
    (axes,) = drawn("coherence", saes()).axes
    assert np.asarray(axes.lines[0].get_ydata()).tolist() == [0, 0]
    np.testing.assert_allclose(np.asarray(axes.lines[1].get_ydata()), [0.02, 0, -0.03], atol=1e-9)
    assert rule_of(axes) == [10.9]


def test_tradeoff_has_the_trained_and_the_truth() -> None:
    (axes,) = drawn("tradeoff", saes()).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["trained (2 seeds)", "true features"]
    for line in axes.lines[:2]:
        np.testing.assert_allclose(np.asarray(line.get_ydata()), [0.36, 0.44, 0.56])


def test_cosine_heatmaps_have_a_panel_per_k_of_the_first_seed() -> None:
    figure = drawn("cosine_heatmaps", sweep_cosines())
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == [f"k = {k:g} (MCC 0.90)" for k in SHOWN["cosine_heatmaps"]["ks"]]
    expected = np.vstack([np.eye(5), np.zeros(5)])
    np.testing.assert_allclose(figure.axes[0].collections[0].get_array().reshape(6, 5), expected)
    assert "seed 0" in figure.get_suptitle()


def test_drawing_imports_nothing_slow() -> None:
    names = ", ".join(f"sbw.figures.{path.stem}" for path in (ROOT / "sbw/figures").glob("*.py"))
    code = f"import sys, stages.figures, sbw.files, {names}; print({SLOW} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
