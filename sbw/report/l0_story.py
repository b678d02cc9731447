"""The section on finding the right L0."""

import pandas as pd

from sbw.report.claims import Claim, measured, near
from sbw.report.results import Results
from sbw.report.section import Picture, Section, knobs
from sbw.report.words import number, plain


def right_l0(results: Results) -> Section:
    """What the metrics recommend without knowing the truth, and where an L0 that moves itself ends."""
    verdict, ends = results.recommendation, ends_of(results.automatic)
    true_l0 = float(results.automatic["true_l0"].iloc[0])
    paths = [
        f"From {plain(start)} it ends at {number(end['l0'], 2)}, with c_dec {number(end['c_dec'], 4)}."
        for start, end in ends.iterrows()
    ]
    story = [
        "The metrics need no truth, so they can be asked which L0 is right. Each is judged by one rule, fixed on other "
        "toys: the right L0 is where its floor begins. Intervals are of draws of the seeds, and no narrower than the "
        "sweep is fine. The width is that of the decoder projections, s_n − s_(h−n), for the n with which most agree.",
        " ".join([verdict["words"], *(metric["words"] for metric in verdict["metrics"].values())]),
        "The paper also lets L0 move while an SAE trains (its App. A.11). Ours follows how c_dec changes when L0 is a "
        f"little higher or lower, every 100 steps. The true L0 of its toy is {number(true_l0, 2)}. {' '.join(paths)}",
    ]
    pictures = [
        Picture(
            "recommendation", "Each metric of the sweep against L0, with the L0 that it recommends, and the true L0"
        ),
        Picture("automatic_l0", "L0 and c_dec of SAEs whose L0 moves itself, against the training step"),
    ]
    lines = [*knobs("recommend", results.params.recommend), *knobs("automatic_l0", results.params.automatic_l0)]
    return Section("Which L0, then", story, l0_claims(results), pictures, params=lines)


def l0_claims(results: Results) -> list[Claim]:
    """The right L0 can be found."""
    tests = results.params.automatic_l0.toy == "main"
    ends = ends_of(results.automatic)["l0"] if tests else pd.Series(dtype=float)
    recommended = pd.Series([results.recommendation["l0"]] if results.params.sweep.toy == "main" else [], dtype=float)
    return [
        measured("L0 that the sweep recommends", "11, by eye", recommended.dropna(), 2, near(10.95, 1)),
        *(
            measured(f"L0 that moves itself, from {plain(start)}", "11", ends[ends.index == start], 2, near(10.95, 1))
            for start in (3.0, 25.0)
        ),
    ]


def ends_of(path: pd.DataFrame) -> pd.DataFrame:
    """Where each start's path ends, by start: columns `l0` and `c_dec`."""
    return path.groupby("start")[["l0", "c_dec"]].last()
