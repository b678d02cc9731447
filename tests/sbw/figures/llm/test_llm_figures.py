"""The figures of the language model's SAEs draw what their tables hold, the same bytes each time."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from sbw.figures.llm import comparison, consistency, cosine, density, l0, scatter
from sbw.figures.style import styled
from tests.sbw.figures.drawn import assert_same_bytes

SAES = ["k_5", "k_50", "jumprelu"]


def features() -> pd.DataFrame:
    """Fifty latents per SAE, the last of which never fires."""
    generator = np.random.default_rng(0)
    tables = []
    for name in SAES:
        fires = np.append(10 ** generator.uniform(-4, -0.5, 49), 0)
        tables.append(
            pd.DataFrame(
                {
                    "sae": name,
                    "latent": range(50),
                    "feature_density": fires,
                    "log10_density": np.log10(fires + 1e-10),
                    "consistent_activation_heuristic": np.append(generator.uniform(1, 9, 49), np.nan),
                    "encoder_bias": generator.normal(size=50),
                    "encoder_norm": generator.uniform(0.5, 1, 50),
                    "encoder_decoder_cosine_sim": generator.uniform(0.2, 0.9, 50),
                }
            )
        )
    return pd.concat(tables)


def histogram() -> pd.DataFrame:
    return pd.DataFrame({"sae": np.repeat(SAES, 3), "l0": [0, 5, 10, 20, 50, 80, 30, 40, 50], "tokens": [1, 2, 1] * 3})


def evals() -> pd.DataFrame:
    names = [name for metrics in comparison._SHOWN.values() for name in metrics]
    return pd.DataFrame({"sae": SAES, **{name: [0.5, 1.0, 2.0] for name in names}})


FIGURES = {
    "l0": lambda: l0.draw(histogram()),
    "density": lambda: density.draw(features()),
    "consistency": lambda: consistency.draw(features(), "k_50"),
    "scatter": lambda: scatter.draw(features(), "k_50"),
    "cosine": lambda: cosine.draw(features()),
    "comparison": lambda: comparison.draw(evals()),
}


def drawn(name: str) -> Figure:
    with styled():
        return FIGURES[name]()


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_tables_give_the_same_bytes(name: str, tmp_path: Path) -> None:
    assert_same_bytes(lambda: drawn(name), tmp_path)


def test_l0_has_a_panel_per_sae_with_all_its_tokens_and_its_mean() -> None:
    axes = drawn("l0").axes
    assert [panel.get_title() for panel in axes] == ["k_5: mean 5", "k_50: mean 50", "jumprelu: mean 40"]
    for panel in axes:
        assert sum(bar.get_height() for bar in panel.patches) == pytest.approx(1)
    assert np.asarray(axes[1].lines[0].get_xdata())[0] == 50


def test_density_counts_the_latents_that_never_fire_in_the_title() -> None:
    for panel, name in zip(drawn("density").axes, SAES, strict=True):
        assert panel.get_title() == f"{name}\n1 of 50 never fire"
        assert sum(bar.get_height() for bar in panel.patches) == 49


def test_consistency_has_a_point_per_firing_latent_and_both_histograms() -> None:
    above, middle, beside = drawn("consistency").axes
    assert np.shape(middle.collections[0].get_offsets())[0] == 49
    assert sum(bar.get_height() for bar in above.patches) == 49
    assert sum(bar.get_width() for bar in beside.patches) == 49


def test_scatter_is_a_matrix_of_all_latents_with_histograms_on_its_diagonal() -> None:
    axes = np.array(drawn("scatter").axes).reshape(3, 3)
    for row in range(3):
        for column in range(3):
            panel = axes[row, column]
            if row == column:
                assert sum(bar.get_height() for bar in panel.patches) == 50
            else:
                assert sum(np.shape(points.get_offsets())[0] for points in panel.collections) == 50


def test_cosine_has_a_line_per_sae() -> None:
    axes = drawn("cosine").axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == SAES
    assert [stairs.get_data().values.sum() for stairs in axes.patches] == [49] * 3


def test_comparison_has_a_panel_per_metric_with_a_bar_per_sae() -> None:
    axes = drawn("comparison").axes
    titles = [name for metrics in comparison._SHOWN.values() for name in metrics]
    assert [panel.get_title() for panel in axes] == titles
    for panel in axes:
        assert [bar.get_height() for bar in panel.patches] == [0.5, 1.0, 2.0]
