"""What is measured of SAEs that are known, against the same by other means."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from sbw.files import load_table, save_table
from sbw.llm.measuring import SCHEMAS, agreements_of_seeds, measure, with_evals
from sbw.llm.sweep import SweptSae
from sbw.metrics.coherence import latent_coherence
from sbw.metrics.geometry import pairwise_cosine
from sbw.metrics.projection import decoder_projections, nth_projections, sampling_error
from sbw.metrics.reconstruction import reconstruction_errors
from sbw.metrics.stability import decoder_agreement
from sbw.metrics.streaming import RELATIVE_ERROR
from sbw.saes.disk import load_sae
from sbw.toy.generators import seeded
from tests.tiny import random_sae

SWEPT = [SweptSae(4.0, 0), SweptSae(4.0, 1)]
GROUPS, BINS = 4, 20


@pytest.fixture(scope="module")
def x() -> Tensor:
    """As many as divide into the groups, far from the origin."""
    return (torch.randn(800, 16, generator=seeded(0)) * 3 + 1).bfloat16()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sweep")
    for swept, threshold in zip(SWEPT, (0.1, 2.0), strict=True):
        sae = random_sae(threshold=threshold)
        sae.W_dec.data[: swept.seed] *= -2
        sae.b_dec.data[:] = 0.5
        sae.save_model(place / swept.name)
    return place


@pytest.fixture(scope="module")
def tables(folder: Path, x: Tensor) -> dict[str, pd.DataFrame]:
    return measure(SWEPT, folder, x, GROUPS, BINS)


def of(table: pd.DataFrame, swept: SweptSae) -> pd.DataFrame:
    return table[(table["k"] == swept.k) & (table["seed"] == swept.seed)]


@pytest.mark.parametrize("swept", SWEPT)
@torch.no_grad()
def test_a_row_is_what_the_sae_does_on_all_tokens_at_once(
    swept: SweptSae, tables: dict[str, pd.DataFrame], folder: Path, x: Tensor
) -> None:
    sae, row = load_sae(folder / swept.name), of(tables["saes"], swept).iloc[0]
    acts = sae.encode(x.float())
    expected = reconstruction_errors(x.float(), sae.decode(acts))
    for name, value in expected._asdict().items():
        assert row[name] == pytest.approx(value, rel=1e-5), name
    assert row["l0"] == pytest.approx((acts > 0).sum().item() / len(x))
    assert row["c_dec"] == pytest.approx(pairwise_cosine(sae.W_dec))
    fires = (acts > 0).double().mean(dim=0)
    assert row["dead_latents"] == (fires == 0).sum() >= 1
    assert row["dense_latents"] == (fires > 0.1).sum() < 24
    assert tables["saes"]["dense_latents"].max() >= 1
    assert row["c_dec_of_firing"] == pytest.approx(pairwise_cosine(sae.W_dec[fires > 0]))
    assert row["mean_threshold"] == pytest.approx(sae.threshold.mean().item())
    np.testing.assert_allclose(of(tables["latents"], swept)["density"], fires)


@pytest.mark.parametrize("swept", SWEPT)
@torch.no_grad()
def test_projections_are_those_of_a_sort_with_their_error_between_groups(
    swept: SweptSae, tables: dict[str, pd.DataFrame], folder: Path, x: Tensor
) -> None:
    sae, rows = load_sae(folder / swept.name), of(tables["projections"], swept)
    projections = decoder_projections(x.float(), sae.W_dec, sae.b_dec)
    assert rows["n"].tolist() == list(range(1, 24))
    np.testing.assert_allclose(rows["s_n"], nth_projections(projections), rtol=RELATIVE_ERROR, atol=1e-5)
    error = sampling_error(projections, GROUPS)
    largest = nth_projections(projections).abs().max().item() * RELATIVE_ERROR
    np.testing.assert_allclose(rows["s_n_error"], error, atol=largest)


@torch.no_grad()
def test_a_histogram_is_of_projections_in_units_of_sigma(
    tables: dict[str, pd.DataFrame], folder: Path, x: Tensor
) -> None:
    sae, rows = load_sae(folder / SWEPT[0].name), of(tables["histograms"], SWEPT[0])
    sigma = x.float().square().mean().sqrt()
    projections = decoder_projections(x.float(), sae.W_dec, sae.b_dec) / sigma
    inside = ((projections >= -6) & (projections <= 6)).double().mean().item()
    assert (rows["density"] * (rows["to"] - rows["from"])).sum() == pytest.approx(inside, abs=1e-4)
    above = rows.loc[rows["from"] >= -1e-9, "density"].sum() * 0.6
    assert above == pytest.approx(((projections > 0) & (projections <= 6)).double().mean().item(), abs=1e-3)


def test_seeds_of_each_k_are_compared(tables: dict[str, pd.DataFrame], folder: Path) -> None:
    a, b = (load_sae(folder / swept.name).W_dec.detach() for swept in SWEPT)
    assert tables["stability"].to_numpy().tolist() == [[4, 0, 1, pytest.approx(decoder_agreement(a, b))]]
    other = SweptSae(8.0, 0)
    random_sae().save_model(folder / other.name)
    assert agreements_of_seeds([SWEPT[0], other], folder).empty, "they differ in more than their seed"


@torch.no_grad()
def test_each_latent_has_its_own_coherence(tables: dict[str, pd.DataFrame], folder: Path, x: Tensor) -> None:
    sae, rows = load_sae(folder / SWEPT[0].name), of(tables["latents"], SWEPT[0])
    expected = latent_coherence(sae.encode(x.float()), sae.W_dec)
    np.testing.assert_allclose(rows["coherence"], expected, rtol=1e-4)
    assert rows["coherence"].isna().sum() == (rows["density"] == 0).sum() >= 1


def test_the_tables_fit_their_schemas_and_do_not_depend_on_the_number_of_processes(
    tables: dict[str, pd.DataFrame], folder: Path, x: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sbw.run.processes.processors", lambda: 1)
    evals = pd.DataFrame({"ce_loss_score": [0.5, np.nan], "kl_div_score": 0.6, "ce_loss_with_sae": 3.0})
    for place, found in (("two", tables), ("one", measure(SWEPT, folder, x, GROUPS, BINS))):
        (tmp_path / place).mkdir()
        for name, schema in SCHEMAS.items():
            table = with_evals(found["saes"], evals) if name == "saes" else found[name]
            save_table(table, schema, tmp_path / place / f"{name}.parquet")
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / place).iterdir()} for place in ("one", "two"))
    assert one == two
    assert load_table(tmp_path / "one/saes.parquet")["ce_loss_score"].isna().tolist() == [False, True]
