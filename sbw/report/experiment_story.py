"""The sections on the experiments of the main toy."""

from sbw.params.training import Experiment, Grid, JumpReLU, Mixing, Transition
from sbw.report.experiment_claims import finetune_claims, jumprelu_by_coefficient, jumprelu_claims, transition_claims
from sbw.report.results import Results, groups, trained, truth
from sbw.report.section import Picture, Section, Table, knobs
from sbw.report.words import count, listed, number, plain, share_of, spread

PAPER_EXPERIMENTS: dict[str, type[Experiment]] = {
    "finetune": Grid,
    "transition": Transition,
    "jumprelu": JumpReLU,
    "mixing": Mixing,
    "mixing_l0": Mixing,
    "mixing_superposed": Mixing,
    "superposition": Grid,
}
"""The experiments of the paper and their kinds; any other is told of under `Not in the paper`."""
_COMMON = {"kind", "toy", "seeds", "d_sae", "ks", "start", "rhos", "ramps", "l0_coefficients", "bandwidth",
           "initial_threshold", "warm_up_steps"}  # fmt: skip


def params_of(results: Results, names: list[str]) -> list[str]:
    """The params of some experiments, as lines."""
    sections = {name: results.params.experiments[name] for name in names}
    return [
        line
        for name, section in sections.items()
        for line in knobs(f"experiments.{name}", section, [key for key in type(section).model_fields if key in _COMMON])
    ]


def present(results: Results, *names: str) -> list[str]:
    """Those of the paper's experiments that the params have."""
    return [name for name in names if results.experiment(name, PAPER_EXPERIMENTS[name])]


def finetune(results: Results) -> Section:
    """Trained at a too low L0 from the true features."""
    title, claims, names = "From the truth", finetune_claims(results), present(results, "finetune")
    if not names:
        return Section(title, [], claims, shown=False)
    saes, story = results.saes["finetune"], []
    for k, rows in groups(trained(saes), "k"):
        true = truth(saes, k)
        forced = "" if true is None else f"; the true features, forced to it, have {number(true['mse'], 3)}"
        story.append(
            f"At k = {plain(k)} the MCC ends at {spread(rows['mcc'], 4)} and the MSE at "
            f"{spread(rows['mse'], 3)}{forced}."
        )
    start = {"truth": "start as the true features", "random": "start from random weights"}
    how = start[getattr(results.params.experiments["finetune"], "start", "random")]
    lead = (
        "The paper starts an SAE from the true features, at a too low L0. It mixes them all the same: what drives it "
        f"is the gradient, not a bad minimum. Here the SAEs {how}."
    )
    shows = "Decoder cosine with the true features of SAEs that started as them"
    return Section(title, [lead, *story], claims, [Picture("finetune", shows)], params=params_of(results, names))


def transition(results: Results) -> Section:
    """L0 moved while training."""
    title, claims, names = "Transitions", transition_claims(results), present(results, "transition")
    if not names:
        return Section(title, [], claims, shown=False)
    story = [
        "The paper moves L0 while it trains. Lowered to the true L0, an SAE recovers the features; raised to it, it "
        "does not leave the mixed ones.",
    ]
    for (initial_k, k, samples), rows in groups(trained(results.saes["transition"]), "initial_k", "k", "samples"):
        reached = share_of([mcc >= 0.95 for mcc in rows["mcc"]])
        story.append(
            f"From k = {plain(initial_k)} to {plain(k)} in {int(samples):,} samples the MCC ends at "
            f"{spread(rows['mcc'], 4)}: at 0.95 or more in {reached}."
        )
    shows = "Decoder cosine with the true features after L0 has moved, a panel a ramp"
    paragraphs = [story[0], " ".join(story[1:])]
    return Section(title, paragraphs, claims, [Picture("transition", shows)], params=params_of(results, names))


def jumprelu(results: Results) -> Section:
    """The other architecture."""
    title, claims, names = "JumpReLU", jumprelu_claims(results), present(results, "jumprelu")
    if not names:
        return Section(title, [], claims, shown=False)
    by = jumprelu_by_coefficient(results.saes["jumprelu"])
    true_l0, best = float(by["true_l0"].iloc[0]), by.loc[by["c_dec"].idxmin()]
    story = [
        "The L0 of a JumpReLU SAE follows from the coefficient of its sparsity loss. The paper finds the same two "
        "metrics least near the true L0, and that many coefficients end there.",
        f"Here {count(len(by), 'coefficient')} end at an L0 from {number(by['l0'].min(), 2)} to "
        f"{number(by['l0'].max(), 2)}; {int(((by['l0'] - true_l0).abs() <= 1).sum())} of them within 1 of the true "
        f"{number(true_l0, 2)}. c_dec is least at an L0 of {number(best['l0'], 2)}, where the MCC is "
        f"{number(best['mcc'], 4)}.",
    ]
    rows = [[plain(c), number(row["l0"], 2), number(row["c_dec"], 4), number(row["mcc"], 4)]
            for c, row in by.iterrows()]  # fmt: skip
    shows = "c_dec, s_n and the coefficient against the L0 that came out, a dot an SAE"
    table = Table(["coefficient", "L0", "c_dec", "MCC"], rows)
    return Section(title, story, claims, [Picture("jumprelu", shows)], [table], params_of(results, names))


def sizes(results: Results) -> Table:
    """How many SAEs, seeds and samples each experiment has."""
    sweep, samples = results.params.sweep, results.params.training.samples
    rows = [["sweep", "grid", str(results.saes_trained("sweep")), str(len(sweep.seeds)), f"{samples:,}"]]
    for name, section in results.params.experiments.items():
        ramps = section.ramps if isinstance(section, Transition) else []
        lengths = listed(f"{length:,}" for length in sorted({ramp.samples for ramp in ramps} or {samples}))
        rows.append([name, section.kind, str(results.saes_trained(name)), str(len(section.seeds)), lengths])
    return Table(["experiment", "kind", "SAEs", "seeds", "samples each"], rows)
