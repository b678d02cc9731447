"""params.yaml as frozen, typed objects. Unknown keys and impossible values are refused by name.

Imports no torch, so that a bad file is refused before anything slow begins.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Patterns = Annotated[list[str], Field(min_length=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$")]


class ParamsError(ValueError):
    """params.yaml does not say what the pipeline needs; the message names the keys."""


class Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class CollectL0(Section):
    models: Patterns
    """Shell patterns; an SAE is selected only where one matches its model."""
    releases: Patterns
    """Shell patterns; an SAE is selected only where one matches its release."""
    require_neuronpedia: bool
    """Whether an SAE is selected only if it can be looked at on Neuronpedia."""


class FiringProbability(Section):
    max: Share
    """Firing probability of feature 0."""
    min: Share
    """Firing probability of the last feature."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _require(self.min <= self.max, f"`min` must be at most `max` ({self.max}), got {self.min}")
        return self


class Magnitude(Section):
    mean: Positive
    """Mean activation of a feature that fires."""
    std: Annotated[float, Field(ge=0)]
    """Standard deviation of it, before the ReLU."""


class Correlation(Section):
    uncorrelated: Share
    """Share of the feature pairs with no correlation."""
    positive: Share
    """Share of the correlated pairs with a positive one."""
    min_strength: Share
    """Least absolute correlation of a correlated pair."""
    max_strength: Share
    """Greatest absolute correlation of a correlated pair."""
    seed: Seed
    """Seed of the pairs, signs and strengths."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        message = f"`min_strength` must be at most `max_strength` ({self.max_strength}), got {self.min_strength}"
        _require(self.min_strength <= self.max_strength, message)
        return self


class ToyParams(Section):
    num_features: Annotated[int, Field(ge=2)]
    """Number of true features."""
    d_in: Count
    """Width of the activations that the features are embedded in."""
    seed: Seed
    """Seed of the feature vectors."""
    firing_probability: FiringProbability
    magnitude: Magnitude
    correlation: Correlation


class Synthesize(Section):
    eval_samples: Count
    """Rows of the fixed evaluation sample."""
    seed: Seed
    """Seed of the fixed evaluation sample."""


class Training(Section):
    toy: str
    """Name of the toy in `toys` to train on."""
    d_sae: Annotated[int, Field(ge=2)]
    """Number of latents."""
    stream_seed: Seed
    """Seed of the activations that the SAEs are trained on; SAEs trained together share the stream."""
    samples: Count
    """Activations to train on; the last batch is a full one."""
    batch_size: Count
    """Activations a step."""
    lr: Positive
    """Adam's learning rate, constant."""
    device: Literal["auto", "cpu", "cuda"]
    """Where to train; `auto` is a GPU where there is one."""


class Train(Training):
    seed: Seed
    """Seed of the initial weights."""
    log_every: Count
    """Steps between two points of the training curve."""


class Sweep(Training):
    ks: Annotated[list[float], Field(min_length=1)]
    """L0s to train SAEs at, each 0 < k <= sweep.d_sae; may be fractional."""
    seeds: Annotated[list[Seed], Field(min_length=1)]
    """Seeds of the initial weights, an SAE each at every k."""


class Evaluate(Section):
    n: Count
    """The n of the s_n^dec in metrics.json, 1 <= n < train.d_sae."""


class FigureSize(Section):
    width: Positive
    """Inches."""
    height: Positive
    """Inches."""


class PretrainedL0(Section):
    panel_width: Positive
    """Inches a model's panel is wide."""
    panel_height: Positive
    """Inches a model's panel is high."""
    columns: Count
    """Panels a row."""
    bins: Count
    """Bins of each histogram."""


class Projection(Section):
    ns: Annotated[list[Count], Field(min_length=1)]
    """The n of each panel's s_n^dec, 1 <= n < sweep.d_sae."""
    columns: Count
    """Panels a row."""
    panel_width: Positive
    """Inches."""
    panel_height: Positive
    """Inches."""


class CosineHeatmaps(Section):
    ks: Annotated[list[float], Field(min_length=1)]
    """The k of each panel, among `sweep.ks`."""
    columns: Count
    """Panels a row."""
    panel_width: Positive
    """Inches."""
    panel_height: Positive
    """Inches."""


class Figures(Section):
    pretrained_l0: PretrainedL0
    firing_probabilities: FigureSize
    correlation_matrix: FigureSize
    cosine_heatmap: FigureSize
    projection: Projection
    pairwise_cosine: FigureSize
    tradeoff: FigureSize
    cosine_heatmaps: CosineHeatmaps


class Params(Section):
    k: float
    """L0 of the SAE in focus, 0 < k <= train.d_sae; may be fractional."""
    collect_l0: CollectL0
    toys: dict[Name, ToyParams]
    synthesize: Synthesize
    train: Train
    sweep: Sweep
    evaluate: Evaluate
    figures: Figures

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _require_k("k", self.k, "train", self.train)
        for i, k in enumerate(self.sweep.ks):
            _require_k(f"sweep.ks[{i}]", k, "sweep", self.sweep)
        for name, values in (("sweep.ks", self.sweep.ks), ("sweep.seeds", self.sweep.seeds)):
            _require(len(set(values)) == len(values), f"`{name}` must not repeat a value, got {values}")
        for name, training in (("train", self.train), ("sweep", self.sweep)):
            known = f"one of: {', '.join(self.toys)}"
            _require(training.toy in self.toys, f"`{name}.toy` must be {known}, got {training.toy!r}")
        _require_n("evaluate.n", self.evaluate.n, min(self.train.d_sae, self.sweep.d_sae))
        for i, n in enumerate(self.figures.projection.ns):
            _require_n(f"figures.projection.ns[{i}]", n, self.sweep.d_sae)
        for i, k in enumerate(self.figures.cosine_heatmaps.ks):
            key = f"`figures.cosine_heatmaps.ks[{i}]`"
            _require(k in self.sweep.ks, f"{key} must be one of `sweep.ks`, got {k:g}")
        return self


def load_params(path: Path) -> Params:
    """Read and check a params file.

    Raises:
        ParamsError: the file is not readable YAML, or a key is unknown, missing or has an impossible value. The
            message has a line a fault, each naming its key and what is allowed.
    """
    try:
        document = YAML(typ="safe", pure=True).load(path)
    except (YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path} is not valid YAML: {error}") from error
    try:
        return Params.model_validate(document)
    except ValidationError as error:
        faults = [f"  {_explain(fault)}" for fault in error.errors()]
        raise ParamsError("\n".join([f"{path} was refused:", *faults])) from error


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)


def _require_k(key: str, k: float, section: str, training: Training) -> None:
    d_sae, batch_size = training.d_sae, training.batch_size
    _require(0 < k <= d_sae, f"`{key}` must satisfy 0 < k <= {section}.d_sae ({d_sae}), got {k:g}")
    enough = int(k * batch_size) >= 1
    _require(enough, f"`{key}` * `{section}.batch_size` must be at least 1, got {k:g} * {batch_size}")


def _require_n(key: str, n: int, d_sae: int) -> None:
    _require(n < d_sae, f"`{key}` must satisfy 1 <= n < d_sae ({d_sae}), got {n}")


def _explain(fault: ErrorDetails) -> str:
    *parents, last = fault["loc"] or ("params.yaml",)
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"]).lstrip(".")
    section = _section_at(parents)
    if fault["type"] == "missing":
        return f"`{key}` is missing"
    if fault["type"] == "extra_forbidden" and section:
        where = f"`{key.rpartition('.')[0]}`" if parents else "the top level"
        return f"`{key}` is not a parameter; {where} has: {', '.join(section.model_fields)}"
    if fault["type"] == "value_error":
        message = fault["msg"].removeprefix("Value error, ")
        return f"`{key}`: {message}" if key else message
    field = section.model_fields.get(str(last)) if section else None
    meaning = f" ({field.description.rstrip('.')})" if field and field.description else ""
    rule = fault["msg"].replace("Input should be", "must be").replace("should", "must")
    return f"`{key}` {rule}, got {fault['input']!r}{meaning}"


def _section_at(parents: list[int | str]) -> type[Section] | None:
    section: type[Section] | None = Params
    for part in parents:
        if section is Params and part == "toys":
            continue
        field = section.model_fields.get(str(part)) if section else None
        annotation = field.annotation if field else ToyParams
        section = annotation if isinstance(annotation, type) and issubclass(annotation, Section) else None
    return section
