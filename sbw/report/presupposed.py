"""Which params the claims presuppose: those of the paper. A claim is not tested where one of them differs."""

from collections.abc import Mapping
from functools import reduce
from operator import getitem
from typing import Any, NamedTuple

from sbw.params import Params
from sbw.params.training import Ramp
from sbw.report.words import flow


class AtLeast(NamedTuple):
    """A presupposed value that may be exceeded."""

    value: int


Wanted = Mapping[str, Any]
"""Values by dotted name; a toy is a mapping of its own."""

_LINEAR, _CONSTANT = {"law": "linear", "max": 0.3881, "min": 0.05}, {"law": "constant", "mean": 1.0, "std": 0.15}
_RANDOM = {"law": "random", "uncorrelated": 0.3, "positive": 0.5, "min_strength": 0.3, "max_strength": 0.9, "seed": 42}
MAIN: Wanted = {"num_features": 50, "d_in": 100, "seed": 42, "orthogonalization_steps": 200, "firing": _LINEAR,
                "magnitude": _CONSTANT, "correlation": _RANDOM}  # fmt: skip
SUPERPOSED: Wanted = {**MAIN, "d_in": 40}
FIVE: Wanted = {"num_features": 5, "d_in": 20, "seed": 0, "orthogonalization_steps": 200,
                "firing": {"law": "linear", "max": 0.4, "min": 0.4}, "magnitude": _CONSTANT,
                "correlation": {"law": "none"}}  # fmt: skip
FIVE_SUPERPOSED: Wanted = {**FIVE, "orthogonalization_steps": 4}
FIVE_ZIPF: Wanted = {**FIVE, "firing": {"law": "zipf", "max": 0.8234, "min": 0.2, "exponent": 1.0}}

_SAMPLES = AtLeast(15_000_000)
_EVALUATED: Wanted = {"synthesize.eval_samples": AtLeast(100_000)}
_STEPS: Wanted = {"training.batch_size": 1024, "training.lr": 3e-4, **_EVALUATED}
_TRAINED: Wanted = {"training.samples": _SAMPLES, **_STEPS}
_COEFFICIENTS = [0.05, 0.07, 0.09, 0.1, 0.3, 0.5, 0.75, 1.0, 1.2, 1.3, 1.4, 1.5]
_MIXING: Wanted = {"kind": "mixing", "d_sae": 5}


def _experiment(name: str, values: Wanted, training: Wanted = _TRAINED) -> Wanted:
    return {f"experiments.{name}.{key}": value for key, value in values.items()} | dict(training)


PRESUPPOSED: Mapping[str, Wanted] = {
    "toy": {"sweep.toy": MAIN, **_EVALUATED},
    "sweep": {"sweep.toy": MAIN, "sweep.d_sae": 50, **_TRAINED},
    "finetune": _experiment("finetune", {"kind": "grid", "toy": MAIN, "d_sae": 50, "start": "truth"}),
    "transition": _experiment("transition", {"kind": "transition", "toy": MAIN, "d_sae": 50}, _STEPS),
    "jumprelu": _experiment("jumprelu", {"kind": "jumprelu", "toy": MAIN, "d_sae": 50, "bandwidth": 2.0,
                                         "initial_threshold": 0.1, "warm_up_steps": 10_000,
                                         "l0_coefficients": _COEFFICIENTS}),
    "mixing": _experiment("mixing", {**_MIXING, "toy": FIVE}),
    "mixing_l0": _experiment("mixing_l0", {**_MIXING, "toy": FIVE}),
    "mixing_superposed": _experiment("mixing_superposed", {**_MIXING, "toy": FIVE_SUPERPOSED}),
    "superposition": _experiment("superposition", {"kind": "grid", "toy": SUPERPOSED, "d_sae": 50, "start": "random"}),
    "mixing_zipf": _experiment("mixing_zipf", {**_MIXING, "toy": FIVE_ZIPF}),
    "automatic_l0": {"automatic_l0.toy": MAIN, "automatic_l0.d_sae": 50, **_TRAINED},
    "public": {"collect_l0.models": ["*"], "collect_l0.releases": ["*"], "collect_l0.require_neuronpedia": True},
}  # fmt: skip
"""By group of claims. What a single claim needs beyond it, such as a k of the sweep, that claim says itself."""

_DOWN: Wanted = {"initial_k": 20, "k": 11, "ramp_from": 0.2048, "ramp_to": 0.7509, "samples": _SAMPLES}
_UP: Wanted = {"initial_k": 2, "k": 11, "ramp_from": 0.0, "ramp_to": 0.8333, "samples": _SAMPLES}


def deviation(params: Params, group: str) -> str:
    """The first param that differs from what a group of claims presupposes, with both values; empty if none does.

    Raises:
        KeyError: there is no such group.
    """
    values = params.model_dump()
    for key, wanted in PRESUPPOSED[group].items():
        try:
            found = reduce(getitem, key.split("."), values)
        except KeyError:  # only experiments can be left out, and `kind`, which decides on the other keys, comes first
            return f"{key.rpartition('.')[0]} is missing"
        if isinstance(wanted, Mapping):
            if differs := _difference(values["toys"][found], wanted):
                return f"{key} is {found}: its {differs}"
        elif differs := _difference({key: found}, {key: wanted}):
            return differs
    return ""


def ramp_deviation(ramp: Ramp) -> str:
    """The same of a ramp of the experiment `transition`, compared with the paper's from the same side."""
    differs = _difference(ramp.model_dump(), _DOWN if ramp.initial_k > ramp.k else _UP)
    return differs and f"experiments.transition.ramps has another one: {differs}"


def _difference(found: Wanted, wanted: Wanted) -> str:
    found, wanted = _leaves(found), _leaves(wanted)
    for key in {**wanted, **found}:
        value: Any = found.get(key)
        right = wanted.get(key)
        if isinstance(right, AtLeast):
            if value < right.value:
                return f"{key} is {flow(value)}, less than {flow(right.value)}"
        elif value != right:
            return f"{key} is {flow(value)}, not {flow(right)}"
    return ""


def _leaves(values: Wanted, prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= _leaves(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found
