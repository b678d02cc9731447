"""A key of the params makes exactly the stages stale that read it, and those below them."""

import pytest

from tests.conftest import Clone
from tests.pipelines import assert_stale, every_pipeline

IN_FOCUS = {"train", "evaluate@train", "figures@train", "series"}
TOY_FIGURES = {"figures@toy"}
RECOMMENDED = {"recommend", "figures@recommendation", "report"}
AUTOMATIC = {"automatic_l0", "figures@automatic_l0", "report"}
MEASURED = {"evaluate@sweep", "series"} | RECOMMENDED | {"figures@sweep"}
SWEEP = {"sweep@low", "sweep@near", "audit"} | MEASURED
EXPERIMENTS = ["finetune", "transition", "jumprelu", "mixing"]


def experiment(name: str) -> set[str]:
    """The stages of an experiment, and what they end in."""
    of_it = {f"{stage}@{name}" for stage in ("experiment", "evaluate_experiment", "experiment_figure")}
    return of_it | {"report", "series"}


ON_MAIN = experiment("finetune") | experiment("transition") | experiment("jumprelu")
ON_FIVE = experiment("mixing")
MEASURES = {stage for name in EXPERIMENTS for stage in experiment(name) if not stage.startswith("experiment@")}
TRAINED = IN_FOCUS | SWEEP | ON_MAIN | ON_FIVE | AUTOMATIC
STALE = {
    "k": IN_FOCUS,
    "collect_l0.*": {"collect_l0", "series", "figures@pretrained", "report"},
    "toys.main.*": {"synthesize@main"} | TOY_FIGURES | IN_FOCUS | SWEEP | ON_MAIN | AUTOMATIC,
    "toys.five.*": {"synthesize@five"} | ON_FIVE,
    "synthesize.*": {"synthesize@main", "synthesize@five"} | TOY_FIGURES | TRAINED,
    "train.toy": TOY_FIGURES | IN_FOCUS | {"report"},
    "training.*": TRAINED,
    "train.*": IN_FOCUS,
    "sweep.cells.low": {"sweep@low"} | MEASURED,
    "sweep.cells.near": {"sweep@near", "audit"} | MEASURED,
    "sweep.*": SWEEP,
    **{f"experiments.{name}.*": experiment(name) for name in EXPERIMENTS},
    "automatic_l0.*": AUTOMATIC,
    "recommend.*": RECOMMENDED | {"audit"},
    "audit.folder": {"audit_folder", "audit"},
    "audit.*": {"audit"},
    "figures.pretrained.*": {"figures@pretrained", "report"},
    "figures.sweep.*": {"figures@sweep", "report"},
    "cluster.*": set(),
    "evaluate.*": {"evaluate@train", "figures@train", "series"} | MEASURED | MEASURES,
}


@pytest.mark.filterwarnings("ignore")
def test_each_key_makes_exactly_its_stages_stale(reproduced: Clone) -> None:
    assert_stale(reproduced.root, "params.yaml", STALE, "dvc.yaml")


@pytest.mark.filterwarnings("ignore")  # of a library below DVC
def test_no_two_stages_of_any_pipeline_write_the_same() -> None:
    with every_pipeline() as repo:
        repo.index.check_graph()
