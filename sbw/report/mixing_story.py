"""The sections on mixing, on superposition and on the experiments that the paper has not."""

from sbw.params.training import Mixing
from sbw.report.experiment_claims import FIVE_L0, mixing_claims, mixing_l0_claims, superposed_claims, zipf_claims
from sbw.report.experiment_story import PAPER_EXPERIMENTS, params_of, present
from sbw.report.results import Results, groups, means, trained
from sbw.report.section import Picture, Section, Table
from sbw.report.toy_words import rates
from sbw.report.words import count, listed, number, plain, spread


def five(results: Results) -> Section:
    """Mixing in the toy with five features."""
    title, claims = "Five features", [*mixing_claims(results), *mixing_l0_claims(results)]
    names = present(results, "mixing", "mixing_l0")
    if not names:
        return Section(title, [], claims, shown=False)
    story = [
        f"Five features, of which {plain(FIVE_L0)} are active at a time, are few enough to see what is mixed. Feature "
        "0 is correlated by ρ with each of the others. The SAEs start from the true features. In the paper every other "
        "latent takes in a part of feature 0 that has the sign of ρ: more of it the stronger the correlation and the "
        f"lower L0, none at ρ = 0 and none at L0 = {plain(FIVE_L0)}.",
        *(_mixing_story(results, name) for name in names),
    ]
    tables = [_mixing_table(results, names)]
    return Section(title, story, claims, _mixing_pictures(names), tables, params_of(results, names))


def _mixing_pictures(names: list[str]) -> list[Picture]:
    return [Picture(name, f"Mixing of feature 0 into the other latents, experiment {name}") for name in names]


def _mixing_story(results: Results, name: str) -> str:
    table = results.mixing_of(name)
    assert table is not None, "asked only of experiments on mixing"
    by = groups(table, "rho", "k")
    in_order = sorted(by, key=lambda cell: cell[1]["mixing"].mean())
    least, greatest = (
        f"{spread(rows['mixing'], 3)} at ρ = {plain(rho)} and k = {plain(k)}"
        for (rho, k), rows in (in_order[0], in_order[-1])
    )
    if len(by) == 1:
        return f"In `{name}` the mixing, mean over the latents, is {least}."
    return f"In `{name}` the mixing, mean over the latents, goes from {least} to {greatest}."


def _mixing_table(results: Results, names: list[str]) -> Table:
    rows = []
    for name in names:
        table = results.mixing_of(name)
        assert table is not None, "asked only of experiments on mixing"
        for (rho, k), of_cell in groups(table, "rho", "k"):
            values = of_cell["mixing"]
            numbers = (number(value, 4) for value in (values.mean(), values.min(), values.max()))
            rows.append([name, plain(rho), plain(k), *numbers, str(len(values))])
    return Table(["experiment", "ρ", "k", "mixing", "least", "greatest", "seeds"], rows)


def superposition(results: Results) -> Section:
    """Features that overlap."""
    claims, names = superposed_claims(results), present(results, "mixing_superposed", "superposition")
    if not names:
        return Section("Superposition", [], claims, shown=False)
    story = ["Where features overlap, the paper finds the same. What features share is taken off the mixing."]
    pictures: list[Picture] = []
    tables: list[Table] = []
    if "mixing_superposed" in names:
        story.append(_mixing_story(results, "mixing_superposed"))
        pictures += _mixing_pictures(["mixing_superposed"])
        tables.append(_mixing_table(results, ["mixing_superposed"]))
    if "superposition" in names:
        c_dec = means(results.saes["superposition"], "c_dec")
        toy = results.params.toys[results.params.experiments["superposition"].toy]
        story.append(
            f"With {toy.num_features} features in {toy.d_in} dimensions c_dec is least at k = "
            f"{plain(float(c_dec.idxmin()))} ({number(c_dec.min(), 4)}), of {count(len(c_dec), 'value')} of k."
        )
        pictures.append(Picture("superposition", "c_dec and c_enc against k, with more features than dimensions"))
    return Section("Superposition", story, claims, pictures, tables, params_of(results, names))


def others(results: Results) -> Section:
    """Experiments that the paper has not."""
    names = [
        name
        for name, section in results.params.experiments.items()
        if not isinstance(section, PAPER_EXPERIMENTS.get(name, type(None)))
    ]
    story = [f"Experiments of our own: {listed(f'`{name}`' for name in names)}."] if names else []
    story += [_other_story(results, name) for name in names]
    pictures = [Picture(name, f"Figure of the experiment {name}") for name in names]
    mixes = [name for name in names if results.experiment(name, Mixing)]
    tables, lines = [_mixing_table(results, mixes)] if mixes else [], params_of(results, names)
    return Section("Not in the paper", story, zipf_claims(results), pictures, tables, lines, shown=bool(names))


def _other_story(results: Results, name: str) -> str:
    section = results.params.experiments[name]
    if isinstance(section, Mixing):
        return f"{_mixing_story(results, name)} {rates(results.params.toys[section.toy])}"
    rows = trained(results.saes[name])
    best = rows.loc[rows["c_dec"].idxmin()]
    return (
        f"`{name}` trains {count(len(rows), 'SAE')}. The least c_dec, {number(best['c_dec'], 4)}, is at an L0 of "
        f"{number(best['l0'], 2)}; the true L0 is {number(best['true_l0'], 2)}, and the MCC there is "
        f"{number(best['mcc'], 4)}."
    )
