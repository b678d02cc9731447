"""All sections of params.yaml, and the rules between them."""

from os.path import expanduser
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from sbw.params.base import Count, Name, Section, require
from sbw.params.cluster import Cluster
from sbw.params.data import CollectL0, Recommend, Synthesize
from sbw.params.figures import Figures
from sbw.params.toys import ToyParams
from sbw.params.training import AnyExperiment, AutomaticL0Params, Mixing, Saes, Sweep, Train, Training


class Evaluate(Section):
    n: Count
    """The n of s_n^dec in metrics.json, 1 <= n < train.d_sae."""
    bins: Count
    """Bins of the histograms of the decoder projections."""


def _written_out(folder: str) -> str:
    require(not folder.startswith("~"), f"DVC does not expand `~`: write {expanduser(folder)}")
    return folder


class AuditParams(Section):
    folder: Annotated[str, AfterValidator(_written_out)]
    """Folder of SAEs, at any depth, in any format that `sbw audit` reads."""
    hub: list[str]
    """Shell patterns of `release/sae_id` in SAELens's directory; these SAEs are fetched from the Hugging Face hub."""


class Params(Section):
    k: float
    """L0 of the SAE in focus, 0 < k <= train.d_sae; may be fractional."""
    collect_l0: CollectL0
    toys: dict[Name, ToyParams]
    synthesize: Synthesize
    training: Training
    train: Train
    sweep: Sweep
    experiments: Annotated[dict[Name, AnyExperiment], Field(min_length=1)]
    automatic_l0: AutomaticL0Params
    evaluate: Evaluate
    recommend: Recommend
    audit: AuditParams
    cluster: Cluster
    figures: Figures

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self.train.require_k("k", self.k, "train", self.training)
        for name, saes in self._saes().items():
            known = f"one of: {', '.join(self.toys)}"
            require(saes.toy in self.toys, f"`{name}.toy` must be {known}, got {saes.toy!r}")
            most = self.toys[saes.toy].num_features
            saes.require_consistent(name, self.training, most)
            for key, k in saes.trained_ks(name).items():
                require(k <= most, f"`{key}` must be at most the features of `toys.{saes.toy}` ({most}), got {k:g}")
            flat = not isinstance(saes, Mixing) or self.toys[saes.toy].hierarchy is None
            require(flat, f"`{name}.toy` must have no `hierarchy`, since mixing sets correlations, got {saes.toy!r}")
        for name in self.experiments:
            require(name not in ("train", "sweep"), f"`experiments.{name}` must have another name: that one is in use")
        _require_n("evaluate.n", self.evaluate.n, min(self.train.d_sae, self.sweep.d_sae))
        for i, n in enumerate(self.figures.sweep.projection.ns):
            _require_n(f"figures.sweep.projection.ns[{i}]", n, self.sweep.d_sae)
        for figure in ("cosine_heatmaps", "histograms", "low_l0_mse"):
            for i, k in enumerate(getattr(self.figures.sweep, figure).ks):
                key = f"`figures.sweep.{figure}.ks[{i}]`"
                require(k in self.sweep.ks, f"{key} must be in `sweep.cells`, got {k:g}")
        return self

    def _saes(self) -> dict[str, Saes]:
        experiments = {f"experiments.{name}": experiment for name, experiment in self.experiments.items()}
        return {"train": self.train, "sweep": self.sweep, "automatic_l0": self.automatic_l0, **experiments}


def _require_n(key: str, n: int, d_sae: int) -> None:
    require(n < d_sae, f"`{key}` must satisfy 1 <= n < d_sae ({d_sae}), got {n}")
