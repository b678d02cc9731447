"""A user's commands with real DVC: repro, experiments, an audit, plots."""

import json
import shutil
from pathlib import Path

from dvc.repo import Repo
from ruamel.yaml import YAML

from sbw.files import load_table
from tests.conftest import ROOT, Clone, stages_run

IN_FOCUS = {"train", "evaluate@train", "figures@train", "series"}


def test_second_repro_does_nothing(reproduced: Clone) -> None:
    output = reproduced.dvc("repro")
    assert stages_run(output) == set()
    assert "up to date" in output
    assert reproduced.run("git", "status", "--porcelain") == ""


def test_deleted_outputs_come_back_without_running_anything(reproduced: Clone) -> None:
    weights = reproduced.root / "data/sae/train/sae_weights.safetensors"
    figure = reproduced.root / "plots/train/cosine_heatmap.svg"
    before = weights.read_bytes(), figure.read_bytes()
    shutil.rmtree(weights.parent)
    figure.unlink()
    assert stages_run(reproduced.dvc("repro")) == set()
    assert (weights.read_bytes(), figure.read_bytes()) == before


def test_experiment_at_another_k_runs_only_the_sae_in_focus(at_nine: tuple[Clone, str]) -> None:
    clone, printed = at_nine
    assert stages_run(printed) == IN_FOCUS
    shown = json.loads(clone.dvc("exp", "show", "--json"))
    revisions = [shown[1], shown[1]["experiments"][0]["revs"][0]]
    metrics = [revision["data"]["metrics"]["data/metrics.json"]["data"] for revision in revisions]
    assert [values["k"] for values in metrics] == [11, 9]
    # A run of a few steps has not settled its threshold, but an SAE of a lower k has fewer latents active all the same.
    assert metrics[0]["l0"] > metrics[1]["l0"]
    difference = json.loads(clone.dvc("metrics", "diff", "--json", "HEAD", "nine"))["data/metrics.json"]
    assert (difference["k"]["old"], difference["k"]["new"]) == (11, 9)


def test_an_audit_of_ones_own_saes_is_one_command(reproduced: Clone, tmp_path: Path) -> None:
    mine = tmp_path / "größe (neu), #1"
    shutil.copytree(reproduced.root / "data/sae/sweep", mine)
    output = reproduced.dvc("exp", "run", "audit", "-S", f'audit.folder="{mine}"')
    assert stages_run(output) == {"audit_folder", "audit"}
    assert "low/k=9/seed=0 " in output
    assert "batchtopk, 100 -> 50 latents\ninconclusive: c_dec needs at least 3 different L0s, got 2." in output
    assert len(load_table(reproduced.root / "data/metrics/audit/saes.parquet")) == 4


def test_a_new_experiment_is_a_section_of_the_params_and_no_code(reproduced: Clone) -> None:
    section = YAML(typ="safe").load(reproduced.root / "params.yaml")["experiments"]["finetune"]
    reproduced.set_params({"experiments.mine": {**section, "start": "random", "ks": [3, 4], "seeds": [5]}})
    of_mine = {"experiment@mine", "evaluate_experiment@mine", "experiment_figure@mine"}
    assert stages_run(reproduced.dvc("repro")) == {*of_mine, "report", "series"}
    saes = load_table(reproduced.root / "data/metrics/experiments/mine/saes.parquet")
    assert saes.loc[saes["variant"] == "trained", ["k", "seed"]].to_numpy().tolist() == [[3, 5], [4, 5]]
    assert (reproduced.root / "plots/experiments/mine.svg").exists()
    assert "experiments/mine.svg" in (reproduced.root / "plots/report.md").read_text()


def test_another_cell_of_the_sweep_trains_that_cell_and_a_removed_one_nothing(reproduced: Clone) -> None:
    reproduced.set_params({"sweep.cells.more": [26]})
    assert stages_run(reproduced.dvc("repro", "evaluate@sweep")) == {"sweep@more", "evaluate@sweep"}
    shown = {f"figures.sweep.{name}.ks": [11] for name in ("cosine_heatmaps", "histograms", "low_l0_mse")}
    reproduced.set_params({"sweep.cells": {"near": [11], "more": [26]}, **shown})
    assert stages_run(reproduced.dvc("repro", "evaluate@sweep")) == {"evaluate@sweep"}
    saes = load_table(reproduced.root / "data/metrics/sweep/saes.parquet")
    assert set(saes["k"]) == {11, 26}, "the table follows the params, not the folders that are left"


def test_sweep_tables_have_every_sae_and_the_truth(undisturbed: Clone) -> None:
    saes = load_table(undisturbed.root / "data/metrics/sweep/saes.parquet")
    assert sorted(zip(saes["variant"], saes["k"], saes["seed"].fillna(-1), strict=True)) == [
        *[("trained", k, seed) for k in (9, 11) for seed in (0, 1)],
        *[("truth", k, -1) for k in (9, 11)],
    ]
    projections = load_table(undisturbed.root / "data/metrics/sweep/projections.parquet")
    assert projections.groupby(["variant", "k"])["n"].nunique().eq(49).all()
    summary = json.loads((undisturbed.root / "data/sweep.json").read_text())
    assert summary["seeds"] == 2


def test_dvc_does_not_look_for_pipelines_in_the_environment() -> None:
    with Repo(str(ROOT)) as repo:
        assert repo.dvcignore.is_ignored_dir(str(ROOT / ".venv"))
