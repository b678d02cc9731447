"""The sections on the theory and on public SAEs."""

from sbw.metrics.theory import (
    ACTIVE_MEAN,
    DISENTANGLED,
    MIXED,
    PAPER_ALPHA,
    PAPER_BOTH,
    PAPER_FIRST,
    best_alpha,
    top1_loss,
)
from sbw.report.experiment_claims import public_claims, selected
from sbw.report.results import Results
from sbw.report.section import Picture, Section, Table, knobs
from sbw.report.words import count, number, plain


def theory(_: Results) -> Section:
    """Why all this is so."""
    best = best_alpha(PAPER_FIRST, PAPER_BOTH)
    clean, mixed, least = (number(top1_loss(alpha, PAPER_FIRST, PAPER_BOTH), 4) for alpha in (1, PAPER_ALPHA, best))
    story = [
        "Two features and an SAE that may use one latent a sample show why. Where both fire, a clean latent misses one "
        "of them; a latent that leans towards the other feature misses less. If feature 1 fires alone with probability "
        f"{plain(PAPER_FIRST)} and both fire with probability {plain(PAPER_BOTH)}, clean latents lose {clean}, a "
        f"latent with a share of {plain(PAPER_ALPHA)} of its own feature {mixed}, and the best share, "
        f"{number(best, 3)}, {least}. The paper's losses are 0.4 and 0.154; the probabilities and the share were "
        "inferred from them.",
        "The slope of the loss at clean latents is twice the probability that both features fire. So where features "
        "fire together at all, clean latents are no minimum of an SAE with too low an L0.",
        f"The figure shows why s_n is least at the right L0. Latents that do not fire project around 0, those that do "
        f"around {plain(ACTIVE_MEAN)}. Mixing widens both: in the sketch from {plain(DISENTANGLED.silent_std)} to "
        f"{plain(MIXED.silent_std)} and from {plain(DISENTANGLED.active_std)} to {plain(MIXED.active_std)}.",
    ]
    shows = "Sketch of the density of decoder projections, of clean and of mixed latents, with s_n"
    return Section("Theory", story, pictures=[Picture("intuition", shows)])


def public(results: Results) -> Section:
    """The L0 of public SAEs."""
    saes, wanted = selected(results.pretrained), results.params.collect_l0
    low = 100 * (saes["l0"] < 100).mean()
    story = [
        f"SAELens's directory states the L0 of {count(len(saes), 'SAE')} of {count(saes['model'].nunique(), 'model')} "
        f"that are selected here; their median is {plain(saes['l0'].median())}, and {number(low, 1)}% have less than "
        "100. The paper holds that most are too low: in its language models the metrics point to about 200.",
    ]
    rows = [
        [str(model), str(len(l0)), number(l0.mean(), 2), plain(l0.median())]
        for model, l0 in saes.groupby("model")["l0"]
    ]
    pictures = [
        Picture("pretrained_l0", "Histogram of the L0 of public SAEs, a panel a model"),
        Picture("pretrained_l0_by", "L0 of public SAEs by layer, width and site"),
    ]
    table = Table(["model", "SAEs", "mean L0", "median L0"], rows)
    return Section("Public SAEs", story, public_claims(results), pictures, [table], knobs("collect_l0", wanted))
