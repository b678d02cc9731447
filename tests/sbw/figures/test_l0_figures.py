"""What the figures on the right L0 show of their tables."""

import numpy as np
import pandas as pd
import pytest

from tests.sbw.figures.drawn import awkward, curves, drawn, path, recommended, rule_of


def test_an_l0_that_moves_itself_has_a_line_per_start() -> None:
    left, right = drawn("automatic_l0", path()).axes
    lines = [line for line in left.lines if line.get_label() in ("from 3 to 11.0", "from 25 to 11.0")]
    assert [np.asarray(line.get_ydata()).tolist() for line in lines] == [[3, 7, 11], [25, 18, 11]]
    assert len(right.lines) == 2
    assert [np.asarray(line.get_ydata())[0] for line in left.lines if line.get_linestyle() == ":"] == [10.9]


def test_a_recommendation_is_a_line_with_a_band_in_its_metrics_panel() -> None:
    figure = drawn("recommendation", curves())
    c_dec, width, sensitivity = figure.axes
    assert "band: 90 % interval" in figure.get_suptitle()
    assert c_dec.get_title() == "minimum: 11.0 (9.5–12.5)"
    (band,) = c_dec.patches
    assert band.get_extents().transformed(c_dec.transData.inverted()).intervalx == pytest.approx([9.5, 12.5])
    assert rule_of(c_dec) == [10.9]
    assert width.get_title() == "inconclusive"
    assert not width.patches
    assert sensitivity.get_title() == "n = 3 agrees with most"
    chosen = np.asarray(sensitivity.lines[1].get_xdata()).tolist()
    assert chosen == [3]


def test_the_validation_has_a_panel_per_method_with_the_error_on_toys_it_was_not_made_on() -> None:
    figure = drawn("known_toys", recommended())
    assert [axes.get_title().split("\n")[1] for axes in figure.axes] == [
        "median error 10%, 2 of 2 toys",
        "median error 50%, 2 of 2 toys",
    ]
    assert "2 toys that the rule was not made on" in figure.get_suptitle()
    assert "90 % interval" in figure.get_supylabel()


def test_a_method_that_names_no_l0_has_no_point_there() -> None:
    (table,) = recommended()
    table.loc[(table["toy"] == "b") & (table["method"] == "c_dec"), ["l0", "low", "high"]] = None
    figure = drawn("known_toys", [table])
    assert figure.axes[0].get_title().endswith("median error 10%, 1 of 2 toys")


@pytest.mark.parametrize("metrics", [1, 2])
def test_a_recommendation_takes_any_number_of_metrics(metrics: int) -> None:
    table, sensitivity = curves()
    kept = pd.unique(table["metric"])[:metrics]
    assert len(drawn("recommendation", [table[table["metric"].isin(kept)], sensitivity]).axes) == metrics + 1


def test_a_toy_of_several_widths_has_one_panel_and_has_the_named_and_the_true_l0() -> None:
    figure = drawn("metric_curves", awkward())
    assert "90 % interval" in figure.get_supxlabel()
    assert [axes.get_title() for axes in figure.axes] == [
        "zipf: 64 features\n10 named, 10 true",
        "loud: 64 features\n10 named, 10 true",
    ]
    assert all(np.asarray(line.get_xdata()).size == 3 for line in figure.axes[0].lines[:5])


def test_a_toy_of_which_no_l0_is_named_says_so() -> None:
    curves_of_toys, named = awkward()
    named.loc[named["method"] == "combined", ["l0", "low", "high"]] = None
    figure = drawn("metric_curves", [curves_of_toys, named])
    assert figure.axes[0].get_title() == "zipf: 64 features\nnone named, 10 true"
    assert not figure.axes[0].patches


def test_widths_are_shares_of_the_features_and_only_of_toys_that_have_several() -> None:
    figure = drawn("latent_counts", awkward()[1:])
    assert "90 % interval" in figure.get_supylabel()
    (axes,) = figure.axes
    assert axes.get_title() == "zipf: 64 features"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.5", "1", "2"]
