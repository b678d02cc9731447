"""The numbers of the report beside the claims, by the name that the template has for them."""

from functools import reduce
from operator import getitem
from typing import Any

import pandas as pd

from sbw.metrics import theory
from sbw.params import Params
from sbw.params.training import Mixing, Transition
from sbw.report.claim import RIGHT_K
from sbw.report.experiment_claims import by_coefficient
from sbw.report.results import Results, explained_above_truth, floor_runs, groups, trained, truth
from sbw.report.words import fixed, flow, listed, short
from sbw.verdict.rule import INTERVAL


def numbers(results: Results) -> dict[str, Any]:
    """All that the template shows, by the name that it has there; frames and series are of trained SAEs."""
    params, sweep = results.params, results.saes["sweep"]
    saes = {name: trained(table) for name, table in results.saes.items()}
    experiments = {name: section.kind for name, section in params.experiments.items()}
    papers = [name for name in experiments if results.is_papers(name) and name != "mixing_zipf"]
    jumprelu, public = by_coefficient(results.saes_of("jumprelu")), results.pretrained[results.pretrained["selected"]]
    return {
        "params": params,
        "yaml_lines": lambda keys: yaml_lines(params, keys),
        "stats": results.toy_stats,
        "saes": saes,
        "sizes": _sizes(results),
        "by_k": _rows(_by_k(sweep), [4, 4, 4, 3, 4, 3]),
        "by_coefficient": _rows(jumprelu[["l0", "c_dec", "mcc"]], [2, 4, 4]),
        "by_model": _rows(public.groupby("model")["l0"].agg(["size", "mean", "median"]), [0, 2, None]),
        "at": dict(groups(saes["sweep"], "k")),
        "truth": truth(sweep),
        "truth_of_finetune": truth(results.saes_of("finetune")),
        "opposed": _opposed(results.cosines),
        "holding": _holding_feature_0(results.cosines),
        "floors": floor_runs(results.projections),
        "excess": {k: more for k, more in explained_above_truth(sweep).items() if k <= RIGHT_K - 1},
        "jumprelu": jumprelu,
        "mixing": {name: _cells(results.mixing_of(name)) for name, kind in experiments.items() if kind == "mixing"},
        "papers": papers,
        "others": [name for name in experiments if name not in papers],
        "recommended": results.recommendation,
        "level": INTERVAL,
        "automatic": results.automatic.groupby("start").last(),
        "theory": theory,
        "public": public,
    }


def _sizes(results: Results) -> list[list[Any]]:
    samples, sweep = results.params.training.samples, results.params.sweep
    rows: list[list[Any]] = [["sweep", "grid", len(trained(results.saes["sweep"])), len(sweep.seeds), f"{samples:,}"]]
    for name, section in results.params.experiments.items():
        ramps = section.ramps if isinstance(section, Transition) else []
        lengths = listed(f"{length:,}" for length in sorted({ramp.samples for ramp in ramps} or {samples}))
        saes = results.mixing_of(name) if isinstance(section, Mixing) else trained(results.saes[name])
        rows.append([name, section.kind, len(saes), len(section.seeds), lengths])
    return rows


def _by_k(saes: pd.DataFrame) -> pd.DataFrame:
    columns = ["mcc", "c_dec", "c_enc", "mse", "variance_explained_about_zero"]
    true = pd.Series({k: row["mse"] for k, row in truth(saes).items()})
    return trained(saes).groupby("k")[columns].mean().assign(true=true)


def _rows(table: pd.DataFrame, digits: list[int | None]) -> list[list[str]]:
    """The cells of a table after its index, each column with its digits, or as short as it can be; none for NaN."""
    return [
        [index if isinstance(index, str) else short(index), *map(_cell, row, digits)] for index, row in table.iterrows()
    ]


def _cell(value: float, digits: int | None) -> str:
    return "" if pd.isna(value) else short(value) if digits is None else fixed(value, digits)


def _opposed(cosines: pd.DataFrame) -> set[Any]:
    """Seeds of the right k with a latent that points away from its feature."""
    own = cosines[(cosines["k"] == RIGHT_K) & (cosines["feature"] == cosines["matched_feature"])]
    return set(own.loc[own["decoder_cosine"] < -0.5, "seed"])


def _holding_feature_0(cosines: pd.DataFrame) -> dict[float, "pd.Series[Any]"]:
    """By k, how many latents of each seed have a cosine above 0.1 in size with feature 0, which is not theirs."""
    zero = cosines[(cosines["feature"] == 0) & (cosines["matched_feature"] != 0)]
    held = zero.assign(held=zero["decoder_cosine"].abs() > 0.1)
    return {k: of_k.groupby("seed")["held"].sum() for k, of_k in groups(held, "k")}


def _cells(mixing: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {"rho": rho, "k": k, "mixing": of_cell["mixing"], "mean": of_cell["mixing"].mean()}
        for (rho, k), of_cell in groups(mixing, "rho", "k")
    ]


def yaml_lines(params: Params, keys: list[str]) -> list[str]:
    """Params by dotted name as lines `key: value` of YAML; for a section, all that is in it."""
    lines = []
    for key in keys:
        value = reduce(getitem, key.split("."), params.model_dump())
        of_key = {f"{key}.{name}": part for name, part in value.items()} if isinstance(value, dict) else {key: value}
        lines += [f"{name}: {flow(part)}" for name, part in of_key.items()]
    return lines
