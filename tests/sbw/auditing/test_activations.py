"""With activations an audit has all pieces of evidence, which are those of a sweep that is evaluated."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from sbw.auditing.audit import Audit, audit
from sbw.files import load_table
from sbw.metrics.codes import code_metrics
from sbw.metrics.projection import decoder_projections, nth_projections
from sbw.run.errors import UserError
from sbw.saes.disk import load_sae, save_sae
from sbw.saes.untrained import initial_jumprelu_sae, initial_sae
from sbw.toy.generators import seeded
from sbw.verdict.recommendation import recommend

D, H, KS = 16, 40, (2, 3, 4, 6, 8)
HOSTILE = "<script>alert(1)<"


@pytest.fixture(scope="module")
def x() -> Tensor:
    features = normalize(torch.randn(H, D, generator=seeded(0)), dim=1)
    return (torch.rand(2000, H, generator=seeded(1)) < 0.12).float() @ features


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, x: Tensor) -> Path:
    place = tmp_path_factory.mktemp("audited")
    for k in KS:
        sae = initial_sae(k, D, H, seed=k)
        sae.W_dec.data = normalize(sae.W_dec.data, dim=1)
        sae.W_enc.data, sae.b_dec.data = sae.W_dec.data.T.contiguous(), x.mean(dim=0)
        sae.topk_threshold.fill_(((x - x.mean(dim=0)) @ sae.W_enc.data).quantile(1 - 0.9 * k / H))
        sae.cfg.metadata.l0 = float(k)
        save_sae(sae, place / f"saes/k{k}")
    np.save(place / "x.npy", x.numpy())
    return place


@pytest.fixture(scope="module")
def found(folder: Path) -> Audit:
    return audit(folder / "saes", activations=folder / "x.npy")


def test_the_verdict_is_that_of_a_sweep_with_the_same_evidence(found: Audit, folder: Path, x: Tensor) -> None:
    rows, projections = [], []
    for k in KS:
        sae = load_sae(folder / f"saes/k{k}").requires_grad_(False)
        codes = sae.encode(x)
        mse = (x - sae.decode(codes)).square().sum(dim=1).mean().item()
        rows.append({
            "k": k, "seed": 0, "d_in": D, "d_sae": H, "mse": mse, "l0": (codes > 0).float().sum(dim=1).mean().item(),
            "variance_explained_about_zero": 1 - mse / x.square().sum(dim=1).mean().item(),
            "c_dec": found.saes.loc[found.saes["setting"] == k, "c_dec"].item(),
            "dead_latents": int((codes.sum(dim=0) == 0).sum()), **code_metrics(codes, x, sae.W_dec, sae.b_dec),
        })  # fmt: skip
        s_n = nth_projections(decoder_projections(x, sae.W_dec, sae.b_dec))
        projections.append(pd.DataFrame({"k": k, "seed": 0, "n": range(1, H), "s_n": s_n.double(), "s_n_error": 0.0}))
    expected = recommend(pd.DataFrame(rows), pd.concat(projections))
    (family,) = found.recommendations.values()
    assert family.words.splitlines()[-1] == expected.words.splitlines()[-1]
    assert family.evidence["piece"].tolist() == expected.evidence["piece"].tolist()
    np.testing.assert_allclose(family.evidence["adds"], expected.evidence["adds"], atol=2e-3)
    assert (family.evidence["adds"] != 0).mean() > 0.9


def test_the_l0_is_measured_and_each_sae_is_diagnosed(found: Audit) -> None:
    assert found.left_out == {}
    assert found.saes["stated_l0"].tolist() == list(KS)
    assert (found.saes["l0"] != found.saes["stated_l0"]).all()
    assert set(found.saes["alone"]) <= {"too low", "about right", "too high"}
    assert (found.saes["alone_low"] < found.saes["alone_high"]).all()
    assert re.search(r"k2 .* (too low|about right|too high) \([\d.]+ to [\d.]+\) ", found.words)
    assert found.saes["l0"].is_monotonic_increasing


def test_an_sae_whose_l0_nobody_states_is_measured(folder: Path, tmp_path: Path) -> None:
    sae = initial_jumprelu_sae(1.0, bandwidth=2.0, initial_threshold=0.1, warm_up_steps=0, d_in=D, d_sae=H, seed=0)
    save_sae(sae, tmp_path / "saes/first")
    row = audit(tmp_path / "saes", activations=folder / "x.npy", rows=1500).saes.iloc[0]
    assert pd.isna(row["stated_l0"])
    assert row["setting"] == row["l0"] > 0
    assert row["rows"] == 1500


def test_activations_of_something_else_leave_an_sae_out_with_the_cause(folder: Path, tmp_path: Path, x: Tensor) -> None:
    nan = x.clone()
    nan[1500] = torch.nan
    for name, other in {"wide": torch.ones(1500, D + 1), "large": -40 * x, "nan": nan, "huge": x * 1e30}.items():
        np.save(tmp_path / f"{name}.npy", other.numpy())
    causes = [
        set(audit(folder / "saes", activations=tmp_path / f"{name}.npy").left_out.values())
        for name in ("wide", "large")
    ]
    assert causes[0] == {f"the activations have a width of {D + 1}, but the SAE reads {D}"}
    assert all("are they of the model, hook and scale" in cause for cause in causes[1])
    assert set(audit(folder / "saes", activations=tmp_path / "huge.npy").left_out.values()) == {
        "the activations are too large for its arithmetic, in float32"
    }
    with pytest.raises(UserError, match=r"nan\.npy holds NaN or Inf"):
        audit(folder / "saes", activations=tmp_path / "nan.npy")
    assert not audit(folder / "saes", activations=tmp_path / "nan.npy", rows=1499).left_out


def test_a_few_activations_say_nothing(folder: Path) -> None:
    few = audit(folder / "saes", activations=folder / "x.npy", rows=999).left_out
    assert set(few.values()) == {"it can be measured on 1,000 activations or more, got 999"}


def test_a_measured_l0_far_from_the_stated_one_is_a_caution(found: Audit, folder: Path, tmp_path: Path) -> None:
    measured = found.saes.set_index("setting")["l0"]
    for k, times in ((4, 1.4), (6, 1.6)):
        sae = load_sae(folder / f"saes/k{k}")
        sae.cfg.metadata.l0 = times * measured[k]
        sae.save_model(tmp_path / f"saes/k{k}")
    again = audit(tmp_path / "saes", activations=folder / "x.npy")
    (note,) = again.notes
    assert note.startswith("The measured L0 of 1 of 2 SAEs differs by more than 1.5 times from the stated one.")
    assert f"\n\n{note}\n" in again.words


@pytest.mark.parametrize("ks", [(4,), (4, 4)])
def test_saes_of_one_l0_are_saved_and_inconclusive(folder: Path, tmp_path: Path, ks: tuple[int, ...]) -> None:
    for i, k in enumerate(ks):
        sae = load_sae(folder / f"saes/k{k}")
        sae.W_dec.data += 0.01 * i * torch.randn(H, D, generator=seeded(i))
        sae.cfg.metadata.l0 = k + i
        sae.save_model(tmp_path / f"saes/{i}")
    found = audit(tmp_path / "saes", activations=folder / "x.npy")
    (family,) = found.recommendations.values()
    assert {verdict.kind for verdict in family.verdicts} == {"inconclusive"}
    found.save(tmp_path / "out")
    assert (tmp_path / "out/evidence_1.svg").exists()
    audit(tmp_path / "saes").save(tmp_path / "out")
    assert not (tmp_path / "out/evidence_1.svg").exists(), "of an earlier audit"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activations": "x.npy", "texts": "texts"}, "exclude each other"),
        ({"model": "smollm2"}, "`model` and `hook` are for `texts`"),
        ({"rows": 5}, "`rows` is for `activations` or `texts`"),
        ({"activations": "x.npy", "rows": 0}, "`rows` must be at least 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(folder: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        audit(folder / "saes", **options)  # type: ignore[arg-type]


def test_what_is_saved_is_whole_and_its_page_needs_nothing_else(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "saes").mkdir()
    for k in KS:
        (tmp_path / f"saes/{k}{HOSTILE}").symlink_to(folder / f"saes/k{k}")
    (tmp_path / "saes/broken").mkdir()
    (tmp_path / "saes/broken/cfg.json").write_text("{}")
    found = audit(tmp_path / "saes", activations=folder / "x.npy")
    found.save(tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    figures = {f"{name}.{kind}" for name in ("audit", "evidence_1") for kind in ("svg", "pdf")}
    assert names == figures | {"audit.html", "saes.parquet", "agreements.parquet", "evidence.parquet", "verdicts.json"}
    assert load_table(tmp_path / "out/saes.parquet")["l0"].tolist() == found.saes["l0"].tolist()
    assert set(load_table(tmp_path / "out/evidence.parquet")["family"]) == set(found.verdicts)
    assert json.loads((tmp_path / "out/verdicts.json").read_text()) == found.verdicts
    page = (tmp_path / "out/audit.html").read_text()
    assert HOSTILE not in page
    assert "alert(1)" in page
    assert "not found" in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
