"""All of the params: what must hold between their sections, and how a fault is told."""

import re
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Self, TypeVar, get_args, get_origin

from pydantic import ValidationError, model_validator
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sbw.params.base import Count, Name, ParamsError, Section, require
from sbw.params.cluster import Cluster
from sbw.params.data import CollectL0, Recommend, Synthesize
from sbw.params.figures import Figures
from sbw.params.toys import ToyParams
from sbw.params.training import AnyExperiment, AutomaticL0, Mixing, Saes, Sweep, Train, Training


class Evaluate(Section):
    n: Count
    """The n of the s_n^dec in metrics.json, 1 <= n < train.d_sae."""
    bins: Count
    """Bins of the histograms of the decoder projections."""


class Audit(Section):
    folder: str
    """Folder of SAELens SAEs, at any depth."""
    hub: list[str]
    """Shell patterns of `release/sae_id` in SAELens's directory, fetched from the Hugging Face hub."""


class Params(Section):
    k: float
    """L0 of the SAE in focus, 0 < k <= train.d_sae; may be fractional."""
    collect_l0: CollectL0
    toys: dict[Name, ToyParams]
    synthesize: Synthesize
    training: Training
    train: Train
    sweep: Sweep
    experiments: dict[Name, AnyExperiment]
    automatic_l0: AutomaticL0
    evaluate: Evaluate
    recommend: Recommend
    audit: Audit
    cluster: Cluster
    figures: Figures

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self.train.require_k("k", self.k, "train", self.training)
        for name, saes in self._saes().items():
            known = f"one of: {', '.join(self.toys)}"
            require(saes.toy in self.toys, f"`{name}.toy` must be {known}, got {saes.toy!r}")
            saes.require_consistent(name, self.training, self.toys[saes.toy].num_features)
            flat = not isinstance(saes, Mixing) or self.toys[saes.toy].hierarchy is None
            require(flat, f"`{name}.toy` must have no `hierarchy`: it correlates features anew, got {saes.toy!r}")
        for name in self.experiments:
            taken = {"train", "sweep", *Figures.model_fields} - {self.experiments[name].kind}
            require(name not in taken, f"`experiments.{name}` must have another name: that one is taken")
        _require_n("evaluate.n", self.evaluate.n, min(self.train.d_sae, self.sweep.d_sae))
        for i, n in enumerate(self.figures.projection.ns):
            _require_n(f"figures.projection.ns[{i}]", n, self.sweep.d_sae)
        for figure in ("cosine_heatmaps", "histograms", "low_l0_mse"):
            for i, k in enumerate(getattr(self.figures, figure).ks):
                key = f"`figures.{figure}.ks[{i}]`"
                require(k in self.sweep.ks, f"{key} must be one of `sweep.ks`, got {k:g}")
        return self

    def _saes(self) -> dict[str, Saes]:
        experiments = {f"experiments.{name}": experiment for name, experiment in self.experiments.items()}
        return {"train": self.train, "sweep": self.sweep, "automatic_l0": self.automatic_l0, **experiments}


P = TypeVar("P", bound=Section)


def load_params(folder: Path) -> Params:
    """Read and check params.yaml and, with the figures, plots/params.yaml of a folder; raises as `load_document`."""
    return load_document(Params, folder / "params.yaml", folder / "plots/params.yaml")


def load_document(kind: type[P], *paths: Path) -> P:
    """Read and check files of params whose sections are, together, those of that kind.

    Raises:
        ParamsError: a file is not readable YAML, two have the same section, or a key is unknown, missing or has an
            impossible value. The message has a line a fault, each naming its key and what is allowed.
    """
    documents = {path: _read(path) for path in paths}
    try:
        return kind.model_validate(_merged(documents))
    except ValidationError as error:
        faults = [f"  {_explain(fault, kind)}" for fault in error.errors()]
        named = {section for fault in faults for section in re.findall(r"`(\w+)", fault)}
        concerned = [str(path) for path in paths if not named.isdisjoint(documents[path])] or [str(paths[0])]
        refused = f"{' and '.join(concerned)} {'was' if len(concerned) == 1 else 'were'} refused:"
        raise ParamsError("\n".join([refused, *faults])) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        document = YAML(typ="safe", pure=True).load(path)
    except (YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(document, dict):
        raise ParamsError(f"{path} was refused: it must have sections, got {document!r}")
    return document


def _merged(documents: dict[Path, dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for path, document in documents.items():
        for section in document:
            if section in merged:
                raise ParamsError(f"{path} was refused: another file has `{section}` too")
        merged |= document
    return merged


def _require_n(key: str, n: int, d_sae: int) -> None:
    require(n < d_sae, f"`{key}` must satisfy 1 <= n < d_sae ({d_sae}), got {n}")


def _explain(fault: ErrorDetails, whole: type[Section]) -> str:
    *parents, last = fault["loc"] or ("",)
    above, section = _walk(parents, whole)
    where = f"`{above}`" if above else "the top level"
    key = _walk(list(fault["loc"]), whole)[0]
    if fault["type"] == "union_tag_not_found":
        return f"`{key}.{_discriminator(fault)}` is missing"
    if fault["type"] == "union_tag_invalid":
        allowed, got = fault["ctx"]["expected_tags"], fault["ctx"]["tag"]
        return f"`{key}.{_discriminator(fault)}` must be one of: {allowed}, got {got!r}"
    if fault["type"] == "missing":
        return f"`{key}` is missing"
    if fault["type"] == "extra_forbidden" and section:
        return f"`{key}` is not a parameter; {where} has: {', '.join(section.model_fields)}"
    if fault["type"] == "value_error":
        message = fault["msg"].removeprefix("Value error, ")
        return f"`{key}`: {message}" if key else message
    field = section.model_fields.get(str(last)) if section else None
    meaning = f" ({field.description.rstrip('.')})" if field and field.description else ""
    rule = fault["msg"].replace("Input should be", "must be").replace("should", "must")
    return f"`{key}` {rule}, got {fault['input']!r}{meaning}"


def _discriminator(fault: ErrorDetails) -> str:
    return str(fault["ctx"]["discriminator"]).strip("'")


def _walk(parts: list[int | str], whole: type[Section]) -> tuple[str, type[Section] | None]:
    """The dotted key of a place in the document, and the section that is there, if one is.

    Pydantic names the option of a union among the parts; it is no part of the key.
    """
    key = ""
    kind: Any = whole
    for part in parts:
        kind = _bare(kind)
        options = get_args(kind)
        if isinstance(kind, type) and issubclass(kind, Section):
            field = kind.model_fields.get(str(part))
            key, kind = _joined(key, part), field.annotation if field else None
        elif get_origin(kind) in (dict, list):
            key, kind = _joined(key, part), options[-1]
        elif get_origin(kind) is tuple:
            key, kind = _joined(key, part), None
        else:
            kind = next((option for option in options if _tag(option) == part), None)
    kind = _bare(kind)
    return key, kind if isinstance(kind, type) and issubclass(kind, Section) else None


def _bare(kind: Any) -> Any:
    """A type without what is annotated to it, and without None beside it."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    options = [option for option in get_args(kind) if option is not NoneType]
    return _bare(options[0]) if len(options) == 1 and len(get_args(kind)) == 2 else kind


def _tag(section: Any) -> str | None:
    fields = getattr(section, "model_fields", {})
    tags = [get_args(fields[name].annotation)[0] for name in ("kind", "law") if name in fields]
    return tags[0] if tags else None


def _joined(key: str, part: int | str) -> str:
    return f"{key}[{part}]" if isinstance(part, int) else f"{key}.{part}".lstrip(".")
