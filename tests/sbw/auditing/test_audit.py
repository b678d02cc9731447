"""SAEs in folders are measured by their decoders; an odd one is named, and does not end the audit."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sbw.auditing.audit import audit
from sbw.auditing.repeated import AGREEMENTS
from sbw.auditing.rows import AUDIT
from sbw.files import load_table
from sbw.metrics.geometry import pairwise_cosine
from sbw.metrics.stability import decoder_agreement
from sbw.pretrained.agreement import greedy_agreement
from sbw.run.errors import UserError
from sbw.saes.disk import load_sae, save_sae
from sbw.saes.untrained import initial_jumprelu_sae, initial_sae
from sbw.toy.generators import seeded
from tests.conftest import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for k in (3, 5):
        for seed in (0, 1):
            save_sae(initial_sae(k, 16, 8, k + seed - 3), tmp_path / f"mine/k{k}/seed{seed}")
    return tmp_path / "mine"


def jumprelu(folder: Path) -> None:
    sae = initial_jumprelu_sae(1.0, bandwidth=2.0, initial_threshold=0.1, warm_up_steps=0, d_in=16, d_sae=8, seed=0)
    save_sae(sae, folder)


def test_a_row_has_the_metrics_of_the_decoder(folder: Path) -> None:
    saes, agreements, *_ = audit(folder)
    assert list(saes.columns) == AUDIT.names
    first = load_sae(folder / "k3/seed0").W_dec.detach()
    assert saes["c_dec"].iloc[0] == pytest.approx(pairwise_cosine(first))
    assert saes["l0"].tolist() == [3, 3, 5, 5]
    assert saes["family"].unique().tolist() == ["batchtopk, 16 -> 8 latents"]
    expected = decoder_agreement(first, load_sae(folder / "k3/seed1").W_dec.detach())
    assert list(agreements.columns) == AGREEMENTS.names
    assert agreements.iloc[0, 1:].tolist() == [3, "k3/seed0", "k3/seed1", pytest.approx(expected)]
    assert len(agreements) == 2


def test_an_sae_without_a_k_has_the_l0_of_its_name(tmp_path: Path) -> None:
    jumprelu(tmp_path / "mine/l0_57")
    assert audit(tmp_path / "mine").saes[["family", "l0"]].iloc[0].tolist() == ["jumprelu, 16 -> 8 latents", 57]


def test_a_measured_l0_goes_before_the_k_and_seeds_of_a_k_are_still_compared(folder: Path) -> None:
    for seed, l0 in ((0, 2.5), (1, 2.75)):
        sae = initial_sae(3, 16, 8, seed)
        sae.cfg.metadata.l0 = l0
        save_sae(sae, folder / f"k3/seed{seed}")
    saes, agreements, *_ = audit(folder)
    assert saes["setting"].tolist() == [3, 3, 5, 5]
    assert saes["l0"].tolist() == [2.5, 2.75, 5, 5]
    assert agreements["setting"].tolist() == [3, 5]


def test_each_family_has_a_verdict_of_its_own_in_words_document_and_files(folder: Path, tmp_path: Path) -> None:
    save_sae(initial_sae(3, 16, 12, 0), folder / "wide")
    found = audit(str(folder))
    few = "inconclusive: c_dec needs at least 3 different L0s, got"
    assert found.verdicts["batchtopk, 16 -> 8 latents"]["words"] == f"{few} 2."
    assert f"\n\nbatchtopk, 16 -> 12 latents\n{few} 1.\n\nbatchtopk, 16 -> 8 latents\n{few} 2.\n" in found.words
    assert json.loads(json.dumps(found.document))["saes"][0]["sae"] == "k3/seed0"
    found.save(tmp_path / "out")
    assert json.loads((tmp_path / "out/verdicts.json").read_text()) == found.verdicts
    assert len(load_table(tmp_path / "out/saes.parquet")) == 5
    assert len(load_table(tmp_path / "out/agreements.parquet")) == 2


def test_several_folders_are_one_audit_with_their_folders_in_the_names(folder: Path) -> None:
    found = audit(folder / "k3", folder / "k5")
    assert found.saes["sae"].tolist() == [str(folder / f"k{k}/seed{seed}") for k in (3, 5) for seed in (0, 1)]
    assert len(found.verdicts) == 1


def test_an_sae_whose_l0_nobody_states_is_measured_and_in_no_verdict(folder: Path) -> None:
    jumprelu(folder / "first")
    found = audit(folder)
    assert found.left_out == {
        "first": "its L0 is not known: name its folder after it, as in `l0_57`, or give activations to measure it on"
    }
    assert list(found.verdicts) == ["batchtopk, 16 -> 8 latents"]
    assert json.loads(json.dumps(found.document, allow_nan=False))["saes"][0]["l0"] is None
    assert "\n\nLeft out: 1\nfirst: its L0 is not known" in found.words


def test_an_odd_sae_is_named_and_the_others_are_judged(folder: Path) -> None:
    (folder / "k3/seed1/sae_weights.safetensors").write_bytes(b"broken")
    save_sae(initial_sae(1, 16, 1, 0), folder / "one")
    found = audit(folder)
    assert found.saes["sae"].tolist() == ["k3/seed0", "k5/seed0", "k5/seed1"]
    assert "k3/seed1/sae_weights.safetensors is not a readable file of weights" in found.left_out["k3/seed1"]
    assert found.left_out["one"] == "c_dec needs two decoder rows that are not zero, got 1"
    with pytest.raises(UserError, match=r"^no SAE can be judged; one: c_dec needs two"):
        audit(folder / "one")


def test_what_a_file_calls_its_tensors_is_safe_to_print(folder: Path) -> None:
    save_file({"\x1b]0;owned\x07": torch.ones(2)}, folder / "k3/seed1/sae_weights.safetensors")
    found = audit(folder)
    assert "owned" in found.left_out["k3/seed1"]
    assert "\x1b" not in found.words


def test_copies_and_checkpoints_are_no_seeds(folder: Path) -> None:
    sae = initial_sae(3, 16, 8, 0)
    save_sae(sae, folder / "k3/seed0 (copy)")
    save_sae(initial_sae(4, 16, 8, 0), folder / "k4")
    sae.W_dec.data += 0.002
    save_sae(sae, folder / "k3/step_2000")
    found = audit(folder)
    assert sorted(found.left_out) == ["k3/seed0", "k3/seed0 (copy)", "k4"]
    assert found.left_out["k3/seed0 (copy)"] == "a copy of k3/seed0: their decoders are equal"
    assert found.left_out["k4"].startswith("a copy of"), "whatever its k"
    assert found.left_out["k3/seed0"].startswith("an earlier checkpoint of the run of k3/step_2000")
    assert len(found.agreements) == 2


def test_a_copy_of_a_checkpoint_displaces_no_other_of_its_run(folder: Path) -> None:
    sae = initial_sae(3, 16, 8, 0)
    save_sae(sae, folder / "k3/z_copy")
    sae.W_dec.data += 0.002
    save_sae(sae, folder / "k3/step_2000")
    found = audit(folder)
    assert found.left_out["k3/z_copy"].startswith("a copy of k3/seed0")
    assert found.left_out["k3/seed0"].startswith("an earlier checkpoint of the run of k3/step_2000")
    assert "k3/step_2000" not in found.left_out


def test_saes_that_are_left_out_for_one_cause_share_a_line(folder: Path) -> None:
    found = audit(folder)._replace(left_out={"a": "not fetched", "b": "no L0", "c": "not fetched"})
    assert "\nLeft out: 3\na, c: not fetched\nb: no L0\n" in found.words


def test_an_sae_that_is_left_out_displaces_no_other_of_its_run(folder: Path) -> None:
    sae = initial_sae(3, 16, 8, 0)
    sae.W_dec.data += 0.002
    save_sae(sae, folder / "k3/seed0_later")
    assert "k3/seed0" in audit(folder).left_out
    sae.b_enc.data[0] = torch.nan
    save_file(
        {name: value.data for name, value in sae.named_parameters()}, folder / "k3/seed0_later/sae_weights.safetensors"
    )
    x = torch.randn(1000, 16, generator=seeded(0))
    save_file({"x": x}, folder.parent / "x.safetensors")
    left_out = audit(folder, activations=folder.parent / "x.safetensors").left_out
    assert "k3/seed0_later" in left_out
    assert "of the same run" not in left_out.get("k3/seed0", "")


def test_saes_whose_long_names_are_cut_alike_are_all_there(tmp_path: Path) -> None:
    for end in ("a", "b"):
        save_sae(initial_sae(3, 16, 8, ord(end)), tmp_path / "/".join(["f" * 60] * 2 + ["g" * 60 + end + "g" * 99]))
    assert audit(tmp_path).saes["sae"].nunique() == 2


def test_a_file_of_weights_is_its_sae_and_checkpoints_beside_a_finished_trainer_are_none(folder: Path) -> None:
    weights = folder / "k3/seed0/sae_weights.safetensors"
    assert audit(weights).saes["sae"].tolist() == ["seed0"]
    state = {"encoder.weight": torch.eye(8, 16), "decoder.weight": torch.eye(16, 8), "b_dec": torch.zeros(16)}
    for place in ("trainer_0", "trainer_0/checkpoints"):
        (folder / place).mkdir()
        torch.save(state, folder / place / ("ae.pt" if place == "trainer_0" else "ae_1000.pt"))
    (folder / "trainer_0/config.json").write_text('{"trainer": {"k": 5}}')
    assert [name for name in audit(folder).saes["sae"] if "trainer" in name] == ["trainer_0"]


@pytest.mark.parametrize(
    ("held", "cause"),
    [
        ({"W_dec": [1, 2]}, "has no decoder"),
        ([1, 2], "it must hold values by name, got list"),
        ({"W_dec": torch.ones(3, 4), "b_dec": 3}, "its L0 is not known"),
    ],
)
def test_a_file_that_holds_something_odd_is_named(folder: Path, held: object, cause: str) -> None:
    torch.save(held, folder / "odd.pt")
    found = audit(folder)
    assert [name for name, why in found.left_out.items() if cause in why] == ["odd.pt"]
    assert len(found.verdicts) == 1


def test_rows_of_zeros_are_counted_and_left_out_of_c_dec(folder: Path) -> None:
    sae = initial_sae(4, 16, 8, 5)
    save_sae(sae, folder / "k4/whole")
    sae.W_dec.data[2:5] = 0
    save_file({"W_dec": sae.W_dec.data, "b_dec": sae.b_dec.data}, folder / "k4/whole/sae_weights.safetensors")
    found = audit(folder / "k4")
    row = found.saes.iloc[0]
    assert row["zero_rows"] == 3
    assert found.notes == ["Decoder rows of zeros, which c_dec leaves out: 3 of whole."]
    assert row["c_dec"] == pytest.approx(pairwise_cosine(sae.W_dec.data[[0, 1, 5, 6, 7]]))


def test_folders_are_audited_without_importing_saelens(folder: Path) -> None:
    code = f"import sys, sbw; sbw.audit({str(folder)!r}); assert 'sae_lens' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_large_decoders_are_matched_greedily(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = audit(folder).agreements["agreement"]
    monkeypatch.setattr("sbw.pretrained.agreement.MATCHED_UP_TO", 7)
    greedy = audit(folder).agreements["agreement"]
    assert (greedy <= exact + 1e-6).all()
    assert (greedy > 0.95 * exact).all()


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.5, 10.0])
def test_a_greedy_matching_in_blocks_is_nearly_the_exact_one(noise: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sbw.pretrained.agreement._AT_ONCE", 7 * 200)
    generator = seeded(0)
    a = torch.randn(200, 32, generator=generator)
    b = (a + noise * torch.randn(200, 32, generator=generator))[torch.randperm(200, generator=generator)]
    exact, greedy = decoder_agreement(a, b), greedy_agreement(a, b)
    assert 0.97 * exact <= greedy <= exact + 1e-6


def test_rows_that_are_equal_are_matched_all_the_same() -> None:
    rows = torch.eye(4).repeat(3, 1)
    assert greedy_agreement(rows, rows) == pytest.approx(1)
