"""Tables by hand, small enough to know what each figure must show, and the figure drawn from them."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sbw.figures.style import save_figure, styled
from sbw.run.loading import load_params
from tests.conftest import ROOT

SHOWN = {
    figure: shown for family in load_params(ROOT).figures.model_dump().values() for figure, shown in family.items()
}
"""What each figure shows by the params, where that is a choice."""


def pretrained(models: int = 3) -> list[pd.DataFrame]:
    rows = [(f"org/model-{m}", f"sae-{l0}", l0, m < models) for m in range(models + 1) for l0 in (10.0, 20.0, 60.0)]
    return [pd.DataFrame(rows, columns=["model", "sae_id", "l0", "selected"])]


def toy_features() -> list[pd.DataFrame]:
    return [pd.DataFrame({"feature": range(5), "firing_probability": [0.5, 0.4, 0.3, 0.2, 0.1], "firing_rate": 0.3})]


def grid(*names: str, shape: tuple[int, int]) -> pd.DataFrame:
    rows, columns = np.indices(shape)
    return pd.DataFrame({names[0]: rows.flatten(), names[1]: columns.flatten()})


def correlations() -> list[pd.DataFrame]:
    table = grid("feature_i", "feature_j", shape=(5, 5))
    return [table.assign(correlation=0.1 * (table["feature_i"] - table["feature_j"]))]


def cosines() -> list[pd.DataFrame]:
    table = grid("latent", "feature", shape=(6, 5)).assign(encoder_cosine=0.0)
    table["matched_feature"] = pd.array([None if i == 2 else 4 - i + (i > 2) for i in table["latent"]], dtype="Int64")
    table["decoder_cosine"] = (table["feature"] == table["matched_feature"]).fillna(False).astype(float)
    return [table, pd.DataFrame({"k": [9.0], "true_l0": [10.954], "mcc": [0.91234]})]


SAES = pd.DataFrame(
    [
        {"variant": variant, "k": k, "seed": seed, "true_l0": 10.9, "c_dec": 0.1 * k + 0.01 * (seed or 0), "mcc": 0.9}
        for variant, seed in (("trained", 0), ("trained", 1), ("truth", None))
        for k in (9.0, 11.0, 14.0)
    ]
).astype({"seed": "Int64"})
SAES = SAES.assign(
    coherence=0.11 - 0.01 * SAES["k"],
    c_dec_over_null=SAES["c_dec"] / 0.08,
    c_enc=0.02 * SAES["k"],
    variance_explained_about_zero=0.04 * SAES["k"],
)


def projections() -> list[pd.DataFrame]:
    rows = [SAES.assign(n=n, s_n=n / 100 + SAES["c_dec"]) for n in range(1, 50)]
    return [pd.concat(rows), SAES]


def saes() -> list[pd.DataFrame]:
    return [SAES]


def sweep_cosines() -> list[pd.DataFrame]:
    one = cosines()[0]
    every = [one.assign(k=k, seed=seed) for k in SHOWN["cosine_heatmaps"]["ks"] for seed in (0, 1)]
    keys = [(k, seed, 10.9, 0.9) for k in SHOWN["cosine_heatmaps"]["ks"] for seed in (0, 1)]
    return [pd.concat(every), pd.DataFrame(keys, columns=["k", "seed", "true_l0", "mcc"])]


def placed() -> list[pd.DataFrame]:
    """Public SAEs of two layers, one of no stated layer; one site; four of five below 100; a sixth not selected."""
    rows = [
        (0, 16_384, "residual", 20.0),
        (0, 16_384, "residual", 40.0),
        (0, 16_384, "residual", 90.0),
        (1, 65_536, "mlp", 80.0),
        (None, None, None, 200.0),
        (1, 65_536, "mlp", 300.0),
    ]
    table = pd.DataFrame(rows, columns=["layer", "width", "site", "l0"]).assign(selected=[True] * 5 + [False])
    return [table.astype({"layer": "Int64", "width": "Int64"})]


def errors() -> list[pd.DataFrame]:
    rows = [
        (variant, k, seed, 10.9, mse + (seed or 0))
        for variant, seed in (("trained", 0), ("trained", 1), ("truth", None))
        for k, mse in ((5.0, 2.0 if variant == "trained" else 4.8), (9.0, 0.5), (11.0, 0.1))
    ]
    return [pd.DataFrame(rows, columns=["variant", "k", "seed", "true_l0", "mse"]).astype({"seed": "Int64"})]


def histograms() -> list[pd.DataFrame]:
    rows = [
        (k, seed, low, low + 1.0, density * k + seed)
        for k in SHOWN["histograms"]["ks"]
        for seed in (0, 1)
        for low, density in ((-1.0, 0.25), (0.0, 0.75))
    ]
    return [pd.DataFrame(rows, columns=["k", "seed", "from", "to", "density"]), SAES.assign(true_l0=10.9)]


def grid_of_one_k() -> list[pd.DataFrame]:
    one = cosines()[0]
    saes = [("trained", 5.0, seed, 10.9, 0.7 + 0.1 * seed) for seed in range(4)] + [("truth", 5.0, None, 10.9, 1.0)]
    table = pd.DataFrame(saes, columns=["variant", "k", "seed", "true_l0", "mcc"])
    each = [one.assign(seed=seed, decoder_cosine=one["decoder_cosine"] / 2**seed) for seed in range(4)]
    return [pd.concat(each), table]


def ramps() -> list[pd.DataFrame]:
    keys = [(20.0, 11.0, 15_000_000, seed) for seed in (0, 1)] + [(2.0, 11.0, 30_720_000, seed) for seed in (0, 1)]
    saes = pd.DataFrame(keys, columns=["initial_k", "k", "samples", "seed"])
    saes = saes.assign(variant="trained", true_l0=10.9, mcc=[0.9, 1.0, 0.8, 0.8])
    one = cosines()[0]
    each = [
        one.assign(initial_k=i, k=k, samples=n, seed=seed, decoder_cosine=one["decoder_cosine"] * i / 20 / (1 + seed))
        for i, k, n, seed in keys
    ]
    return [pd.concat(each), saes]


def coefficients() -> list[pd.DataFrame]:
    rows = [("trained", 0.1, 0, 20.0, 0.09), ("trained", 1.0, 0, 11.0, 0.001), ("truth", None, None, 11.0, 0.0)]
    saes = pd.DataFrame(rows, columns=["variant", "l0_coefficient", "seed", "l0", "c_dec"])
    saes = saes.assign(true_l0=10.9, c_dec_over_null=saes["c_dec"] / 0.08)
    s_n = [saes.assign(n=n, s_n=n + saes["l0"]) for n in (17, 18)]
    return [saes, pd.concat(s_n)]


def mixed(ks: tuple[float, ...] = (1.8,)) -> list[pd.DataFrame]:
    rows = [
        (rho, k, seed, latent, rho * (2 - k) + 0.01 * seed + (0.1 if latent else -0.1))
        for rho in (-0.4, 0.0, 0.4)
        for k in ks
        for seed in (0, 1)
        for latent in (0, 1)
    ]
    return [pd.DataFrame(rows, columns=["rho", "k", "seed", "latent", "mixing"]).assign(true_l0=2.0)]


def path() -> list[pd.DataFrame]:
    rows = [(start, step, start + (11 - start) * step / 200, 0.1 - step / 3000) for start in (3.0, 25.0)
            for step in (0, 100, 200)]  # fmt: skip
    return [pd.DataFrame(rows, columns=["start", "step", "l0", "coherence"]).assign(true_l0=10.9)]


def curves() -> list[pd.DataFrame]:
    rows = [
        (metric, l0, l0, abs(l0 - 11) / 10, *verdict)
        for metric, verdict in (("c_dec", ("minimum", 11.0, 9.5, 12.5)), ("w_3", ("inconclusive", None, None, None)))
        for l0 in (5.0, 9.0, 11.0, 14.0)
    ]
    table = pd.DataFrame(rows, columns=["metric", "setting", "l0", "value", "verdict", "recommended", "low", "high"])
    sensitivity = pd.DataFrame({"n": [1, 2, 3, 4], "l0": [None, 5.0, 11.0, 11.0], "agreeing": [0, 1, 2, 2]})
    return [table.astype({"recommended": float}).assign(true_l0=10.9, level=0.9), sensitivity.astype({"l0": float})]


def weighed_pieces() -> list[pd.DataFrame]:
    rows = [(l0, piece, np.log(l0 / 11) / 4) for piece in ("coherence", "c_dec") for l0 in (5.0, 9.0, 12.0, 20.0)]
    return [pd.DataFrame(rows, columns=["l0", "piece", "adds"]).assign(recommended=11.0, true_l0=10.9)]


def recommended() -> list[pd.DataFrame]:
    methods = ("verdict", "knee", "description", "c_dec", "width", "s_n", "coherence", "coherence_pursuit", "gain",
               "mcc", "best")  # fmt: skip
    rows = [
        (toy, of_set, true, method, true * (1.1 if method == "verdict" else 1.5), true * 0.8, true * 1.3)
        for toy, of_set, true in (("a", "stress", 5.0), ("b", "held_out", 10.0), ("c", "held_out", 20.0))
        for method in methods
    ]
    table = pd.DataFrame(rows, columns=["toy", "set", "true_l0", "method", "l0", "low", "high"])
    table.loc[table["method"] != "verdict", ["low", "high"]] = None
    return [table.astype({"low": float, "high": float})]


TABLES: dict[str, Callable[[], list[pd.DataFrame]]] = {
    "pretrained_l0": pretrained,
    "pretrained_l0_by": placed,
    "firing_probabilities": toy_features,
    "correlation_matrix": correlations,
    "cosine_heatmap": cosines,
    "projection": projections,
    "pairwise_cosine": saes,
    "coherence": saes,
    "tradeoff": saes,
    "cosine_heatmaps": sweep_cosines,
    "low_l0_mse": errors,
    "histograms": histograms,
    "intuition": list,
    "grid": grid_of_one_k,
    "transition": ramps,
    "jumprelu": coefficients,
    "mixing": mixed,
    "automatic_l0": path,
    "recommendation": curves,
    "evidence": weighed_pieces,
    "known_toys": recommended,
}


def drawn(name: str, tables: list[pd.DataFrame]) -> Figure:
    figure = import_module(f"sbw.figures.{name}")
    assert len(figure.TABLES) == len(tables)
    with styled():
        return figure.draw(*tables, **SHOWN.get(name, {}))


def assert_same_bytes(draw: Callable[[], Figure], folder: Path) -> None:
    """The figure drawn and saved twice is the same, and undated."""
    for run in ("a", "b"):
        save_figure(draw(), folder / f"{run}.svg", folder / f"{run}.pdf")
    for kind in ("svg", "pdf"):
        assert (folder / f"a.{kind}").read_bytes() == (folder / f"b.{kind}").read_bytes()
    assert "<dc:date>" not in (folder / "a.svg").read_text()
    assert b"/CreationDate" not in (folder / "a.pdf").read_bytes()


def rule_of(axes: Axes) -> list[float]:
    return [np.asarray(line.get_xdata())[0] for line in axes.lines if line.get_linestyle() == ":"]
