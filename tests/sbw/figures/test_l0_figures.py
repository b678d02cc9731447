"""What the figures on the right L0 show of their tables."""

import numpy as np
import pandas as pd
import pytest

from tests.sbw.figures.drawn import curves, drawn, path, recommended, rule_of, weighed_pieces


def test_an_l0_that_moves_itself_has_a_line_per_start() -> None:
    left, right = drawn("automatic_l0", path()).axes
    lines = [line for line in left.lines if line.get_label() in ("from 3 to 11.0", "from 25 to 11.0")]
    assert [np.asarray(line.get_ydata()).tolist() for line in lines] == [[3, 7, 11], [25, 18, 11]]
    assert len(right.lines) == 3, "and one at 0"
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


def test_the_validation_has_a_panel_per_method_with_its_error_on_the_held_out_toys() -> None:
    figure = drawn("known_toys", recommended())
    titles = [axes.get_title().split("\n") for axes in figure.axes]
    assert titles[:2] == [
        ["the verdict", "median |log error| 0.095"],
        ["knee of the variance explained", "median |log error| 0.405"],
    ]
    assert len(titles) == 11
    assert "2 toys that the rule was not fitted on" in figure.get_suptitle()


def test_each_piece_of_evidence_has_a_row_and_so_has_their_sum() -> None:
    figure = drawn("evidence", weighed_pieces())
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["coherence", "c_dec", "all together"]
    (mesh,) = axes.collections
    values = np.asarray(mesh.get_array()).reshape(3, 4)
    assert values[2] == pytest.approx(values[:2].sum(axis=0))
    assert values[0, 0] < 0 < values[0, -1]
    assert rule_of(axes) == [10.9]


@pytest.mark.parametrize("metrics", [1, 2])
def test_a_recommendation_takes_any_number_of_metrics(metrics: int) -> None:
    table, sensitivity = curves()
    kept = pd.unique(table["metric"])[:metrics]
    assert len(drawn("recommendation", [table[table["metric"].isin(kept)], sensitivity]).axes) == metrics + 1
