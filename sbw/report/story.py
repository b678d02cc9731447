"""The story in its order, and the sections on the toy and the sweep."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from sbw.report import closing_story, experiment_story, l0_story, mixing_story
from sbw.report.claims import (
    RIGHT_K,
    explained_above_truth,
    high_claims,
    low_claims,
    mse_claims,
    right_claims,
    set_up_claims,
    sweep_claims,
    tradeoff_claims,
)
from sbw.report.results import Results, groups, level_runs, means, trained, truth
from sbw.report.section import Picture, Section, Table, knobs
from sbw.report.toy_words import rates, together
from sbw.report.words import count, listed, number, plain, ranges, share_of, spread

_SWEEP = ["toy", "d_sae", "ks", "seeds"]
_TRAINING = ["samples", "batch_size", "lr"]


def tell(results: Results) -> list[Section]:
    """Every section, in the order of the report; those of a missing experiment are there but not shown."""
    parts: list[Callable[[Results], Section]] = [
        set_up,
        right,
        low,
        mse,
        experiment_story.finetune,
        high,
        sweep,
        tradeoff,
        experiment_story.transition,
        experiment_story.jumprelu,
        mixing_story.five,
        mixing_story.superposition,
        mixing_story.others,
        l0_story.right_l0,
        closing_story.theory,
        closing_story.public,
    ]
    return [part(results) for part in parts]


def set_up(results: Results) -> Section:
    """The toy."""
    name, stats = results.params.sweep.toy, results.toy_stats
    toy, samples = results.params.toys[name], results.params.synthesize.eval_samples
    return Section(
        "Set-up",
        [
            f"The toy `{name}` has {toy.num_features} features in {toy.d_in} dimensions. {rates(toy)} "
            f"{together(toy)} Everything is known of it, so an SAE that is trained on it can be compared with the "
            "truth.",
            f"On a fixed sample of {samples:,}, {number(stats['true_l0'], 4)} features are active at a time: "
            f"the true L0. The sum of the firing probabilities is "
            f"{number(stats['sum_of_firing_probabilities'], 4)}.",
        ],
        set_up_claims(results),
        [
            Picture("firing_probabilities", f"Firing probability of each feature of the toy {name}"),
            Picture("correlation_matrix", f"Correlation of each pair of features of the toy {name}"),
        ],
        params=[*knobs(f"toys.{name}", toy), *knobs("synthesize", results.params.synthesize)],
    )


def right(results: Results) -> Section:
    """SAEs at the right L0."""
    rows = trained(results.saes["sweep"], RIGHT_K)
    story = [
        "The paper finds a latent a feature where the L0 of an SAE is the true one. Some of its seeds end in a local "
        "minimum, with one dead latent and an MCC of about 0.978.",
        _seeds_at_right(rows, results.cosines) if len(rows) else _missing(RIGHT_K),
    ]
    heatmaps = "Decoder cosine of each latent with each true feature, a panel a value of k, for one seed of the sweep"
    return Section(
        "The right L0",
        story,
        right_claims(results),
        [Picture("cosine_heatmaps", heatmaps)],
        params=sweep_params(results),
    )


def _seeds_at_right(rows: pd.DataFrame, cosines: pd.DataFrame) -> str:
    each = listed(f"{number(mcc, 4)} (seed {plain(seed)})" for mcc, seed in zip(rows["mcc"], rows["seed"], strict=True))
    opposed, recovered = _opposed(cosines), share_of([mcc > 0.99 for mcc in rows["mcc"]])
    return (
        f"Here the MCC at k = {RIGHT_K} is {each}: {recovered} recover every feature (MCC > 0.99). "
        f"{share_of([dead > 0 for dead in rows['dead_latents']])} have a dead latent. MCC takes absolute cosines, so "
        "it does not see a latent that points away from its feature, which is a local minimum too: "
        f"{share_of([seed in opposed for seed in rows['seed']])} have one."
    )


def _opposed(cosines: pd.DataFrame) -> set[Any]:
    own = cosines[(cosines["k"] == RIGHT_K) & (cosines["feature"] == cosines["matched_feature"])]
    return set(own.loc[own["decoder_cosine"] < -0.5, "seed"])


def _missing(k: float) -> str:
    return f"k = {plain(k)} is not in `sweep.ks`, so this is not tested here."


def low(results: Results) -> Section:
    """SAEs at a too low L0."""
    saes = results.saes["sweep"]
    story = ["With L0 too low, a latent takes in features that are correlated with its own, as the figure above shows."]
    for k in (9, 5):
        rows = trained(saes, k)
        story.append(_mixed(rows, results.cosines, k) if len(rows) else _missing(k))
    return Section("Too low", story, low_claims(results), params=knobs("sweep", results.params.sweep, ["ks", "seeds"]))


def _mixed(rows: pd.DataFrame, cosines: pd.DataFrame, k: float) -> str:
    null = float((rows["c_dec"] / rows["c_dec_over_null"]).iloc[0])
    zero = cosines[(cosines["k"] == k) & (cosines["feature"] == 0) & (cosines["matched_feature"] != 0)]
    holding = (zero["decoder_cosine"].abs() > 0.1).groupby(zero["seed"]).sum()
    others = int(rows["d_sae"].iloc[0]) - 1
    return (
        f"At k = {plain(k)} the MCC is {spread(rows['mcc'], 4)} and c_dec is {spread(rows['c_dec'], 4)}; random "
        f"directions have {number(null, 3)}. Feature 0, the commonest, has a cosine above 0.1 in size with "
        f"{spread(holding, 0)} of the {others} latents that are not its own."
    )


def mse(results: Results) -> Section:
    """The error of trained SAEs and of the truth at a too low L0."""
    saes = results.saes["sweep"]
    story = [
        "The paper forces an SAE of the true features to a too low k, and finds that its error is the greater one."
    ]
    for k in (9, 5):
        rows, true = trained(saes, k), truth(saes, k)
        if rows.empty or true is None:
            story.append(_missing(k))
            continue
        story.append(
            f"At k = {plain(k)} the MSE of the trained SAEs is {spread(rows['mse'], 3)}, that of the true features "
            f"{number(true['mse'], 3)}: {number(rows['mse'].mean() / true['mse'], 2)} times as much for the trained."
        )
    picture = Picture("low_l0_mse", "Mean squared error of trained SAEs and of the true features, at a too low k")
    lines = [
        *knobs("sweep", results.params.sweep, ["ks", "seeds"]),
        *knobs("synthesize", results.params.synthesize, ["eval_samples"]),
    ]
    return Section("MSE at low L0", story, mse_claims(results), [picture], params=lines)


def high(results: Results) -> Section:
    """SAEs at a too high L0."""
    saes = results.saes["sweep"]
    story = ["With L0 too high, the paper finds solutions that are degenerate though the error is about 0."]
    for k in (14, 18):
        rows = trained(saes, k)
        text = f"At k = {plain(k)} the MSE is {spread(rows['mse'], 3)} and the MCC {spread(rows['mcc'], 4)}; "
        text += f"c_dec is {spread(rows['c_dec'], 4)}." if len(rows) else ""
        story.append(text if len(rows) else _missing(k))
    shows = "Histograms of the decoder projections, a panel a value of k, density on a log scale"
    return Section(
        "Too high",
        story,
        high_claims(results),
        [Picture("histograms", shows)],
        params=knobs("sweep", results.params.sweep, ["ks", "seeds"]),
    )


def sweep(results: Results) -> Section:
    """Where the metrics of the decoder are least."""
    saes = results.saes["sweep"]
    c_dec, c_enc = means(saes, "c_dec"), means(saes, "c_enc")
    first = listed(f"{plain(k)} for n = {ranges(ns)}" for k, ns in level_runs(results.projections)) or "not known"
    story = [
        "Two metrics need the decoder alone, and the paper finds both least at the true L0: the nth decoder projection "
        "s_n, a value that n projections of an input on the latents exceed on average, and c_dec, the mean absolute "
        "cosine of two decoder rows. c_enc is that of two encoder columns.",
        f"Here, by the mean over {count(trained(saes)['seed'].nunique(), 'seed')}, c_dec is least at k = "
        f"{plain(float(c_dec.idxmin()))} ({number(c_dec.min(), 4)}) and c_enc at k = {plain(float(c_enc.idxmin()))} "
        f"({number(c_enc.min(), 4)}). The first k whose s_n is within 0.01 of the least of all k is "
        f"{first}.",
    ]
    pictures = [
        Picture("projection", "Decoder projection s_n against k, a panel a value of n, with a rule at the true L0"),
        Picture("pairwise_cosine", "c_dec and c_enc against k, with the value of random directions and the true L0"),
    ]
    return Section("The sweep", story, sweep_claims(results), pictures, [by_k_table(saes)], sweep_params(results))


def sweep_params(results: Results) -> list[str]:
    """The params of the sweep, as lines."""
    params = results.params
    return [*knobs("sweep", params.sweep, _SWEEP), *knobs("training", params.training, _TRAINING)]


def by_k_table(saes: pd.DataFrame) -> Table:
    """Means over seeds, a row a k, beside the error of the true features."""
    digits = {"mcc": 4, "c_dec": 4, "c_enc": 4, "mse": 3, "variance_explained_about_zero": 4}
    rows = []
    for k, of_k in groups(trained(saes), "k"):
        mean, true = of_k[list(digits)].mean(), truth(saes, k)
        forced = "" if true is None else number(true["mse"], 3)
        rows.append([plain(k), *(number(mean[name], places) for name, places in digits.items()), forced])
    return Table(["k", "MCC", "c_dec", "c_enc", "MSE", "variance explained", "MSE of the truth"], rows)


def tradeoff(results: Results) -> Section:
    """The curve that misleads."""
    excess = explained_above_truth(results.saes["sweep"])
    below = {k: value for k, value in excess.items() if k < RIGHT_K}
    story = [
        "SAEs are compared by how much they explain at an L0. The paper finds that below the true L0 this curve "
        "prefers the wrong features: the trained SAE explains more than the truth.",
    ]
    if below:
        least, most = min(below, key=lambda k: below[k]), max(below, key=lambda k: below[k])
        story.append(
            "Here the trained SAEs explain more of the variance (about zero) at "
            f"{sum(v > 0 for v in below.values())} of {count(len(below), 'value')} of k below {RIGHT_K}: by "
            f"{number(below[least], 3)} at k = {plain(least)} and by "
            f"{number(below[most], 3)} at k = {plain(most)}, the least and the most."
        )
    shows = "Variance explained against k, of trained SAEs and of the true features forced to the same k"
    return Section(
        "The trade-off that misleads",
        story,
        tradeoff_claims(results),
        [Picture("tradeoff", shows)],
        params=knobs("sweep", results.params.sweep, ["ks", "seeds"]),
    )
