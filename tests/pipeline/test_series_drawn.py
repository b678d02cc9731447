"""A static figure shows the numbers of the CSV behind the interactive plot of the same thing, to the last digit."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection, QuadMesh
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import sbw.figures
from sbw.run.loading import load_params
from tests.conftest import Clone


def test_the_sweep(reproduced: Clone) -> None:
    table, figure = series(reproduced, "sweep"), drawn(reproduced, "pairwise_cosine", "metrics/sweep")
    for axes, metric in zip(figure.axes, ("c_dec", "c_enc"), strict=True):
        of_metric = table[table["metric"] == metric]
        assert_band(axes, of_metric, "k")
        assert_line(axes, [0, 1], [of_metric["null"].iloc[0]] * 2)


def test_the_projections(reproduced: Clone) -> None:
    table = series(reproduced, "projections")
    ns = load_params(reproduced.root).figures.sweep.projection.ns
    for axes, n in zip(drawn(reproduced, "projection", "metrics/sweep").axes, ns, strict=True):
        assert_band(axes, table[table["n"] == n], "k")


def test_the_tradeoff(reproduced: Clone) -> None:
    table = series(reproduced, "tradeoff")
    (axes,) = drawn(reproduced, "tradeoff", "metrics/sweep").axes
    assert_band(axes, table[table["variant"] == "trained"], "k")
    truth = table[table["variant"] == "truth"]
    assert_line(axes, truth["k"], truth["mean"])


def test_the_mixing(reproduced: Clone) -> None:
    table = series(reproduced, "mixing")
    (axes,) = drawn(reproduced, "mixing", "metrics/experiments/mixing").axes
    assert_band(axes, table[table["experiment"] == "mixing"], "rho")


def test_the_cosines(reproduced: Clone) -> None:
    table, figure = series(reproduced, "cosines"), drawn(reproduced, "cosine_heatmap", "metrics/train")
    for axes, side in zip(figure.axes[:2], ("encoder", "decoder"), strict=True):
        (heatmap,) = (mesh for mesh in axes.collections if isinstance(mesh, QuadMesh))
        expected = table[table["side"] == side].pivot(index="row", columns="feature", values="cosine")
        assert np.array_equal(np.asarray(heatmap.get_array()).reshape(expected.shape), expected)


def test_the_public_saes(reproduced: Clone) -> None:
    models = series(reproduced, "public").groupby("model")["l0"]
    for axes, (_, l0) in zip(drawn(reproduced, "pretrained_l0", "pretrained").axes, models, strict=True):
        bars = [bar for bar in axes.patches if isinstance(bar, Rectangle) and bar.get_height()]
        for bar in bars:
            inside = (l0 >= bar.get_x()) & (l0 < bar.get_x() + bar.get_width())
            assert inside.sum() == bar.get_height()
        assert sum(bar.get_height() for bar in bars) == len(l0)


def drawn(clone: Clone, name: str, folder: str) -> Figure:
    """The figure as its stage draws it."""
    families = load_params(clone.root).figures.model_dump().values()
    shown: dict[str, Any] = next((family[name] for family in families if name in family), {})
    return sbw.figures.drawn(name, clone.root / "data" / folder, **shown)


def series(clone: Clone, name: str) -> pd.DataFrame:
    return pd.read_csv(clone.root / f"plots/series/{name}.csv")


def assert_band(axes: Axes, table: pd.DataFrame, x: str) -> None:
    """The axes' one band is from `low` to `high`, with a line along `mean` and, where L0 is the axis, its rule."""
    assert len(table) > 1
    (band,) = (band for band in axes.collections if isinstance(band, PolyCollection))
    corners = {tuple(corner) for corner in np.asarray(band.get_paths()[0].vertices).tolist()}
    assert corners == {*zip(table[x], table["low"], strict=True), *zip(table[x], table["high"], strict=True)}
    assert_line(axes, table[x], table["mean"])
    if x == "k":
        assert_line(axes, [table["true_l0"].iloc[0]] * 2, [0, 1])


def assert_line(axes: Axes, x: "pd.Series | list[float]", y: "pd.Series | list[float]") -> None:
    lines = [(np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()) for line in axes.lines]
    assert (list(x), list(y)) in lines
