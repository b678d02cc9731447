"""The verdict by all pieces of evidence, and an SAE's own diagnosis, on invented sweeps."""

import math

import pytest

from sbw.verdict.offsets import Piece, Score, alone_scales, load_rule
from sbw.verdict.pieces import ALONE, SWEPT, pieces_of
from sbw.verdict.recommendation import EVIDENCE, recommend
from sbw.verdict.weighing import diagnosed, weighed
from tests.sbw.verdict.sweeps import KS, RIGHT, H, coded, projections


def test_a_clear_sweep_names_its_l0_with_an_interval_and_says_who_speaks_against_it() -> None:
    found = recommend(coded(), projections())
    verdict = found.verdicts[-1]
    assert (verdict.metric, verdict.kind) == ("combined", "estimate")
    assert verdict.l0 == pytest.approx(0.99 * RIGHT, rel=0.15)
    assert verdict.low is not None
    assert verdict.high is not None
    assert verdict.low < 0.99 * RIGHT < verdict.high
    assert verdict.words.startswith(f"The right L0 is about {verdict.l0:.3g} (90 % interval {verdict.low:.3g} to ")


def test_the_evidence_has_a_row_per_piece_and_l0() -> None:
    evidence = recommend(coded().assign(true_l0=7.9), projections()).evidence
    assert list(evidence.columns) == EVIDENCE.names
    assert set(evidence["piece"]) == set((ALONE | SWEPT).values())
    assert len(evidence) == len(ALONE | SWEPT) * len(KS)
    coherence = evidence[evidence["piece"] == ALONE["coherence_pursuit"]].sort_values("l0")["adds"].to_numpy()
    assert coherence[0] < 0 < coherence[-1]


@pytest.mark.parametrize(("least", "most", "way"), [(10, 14, "below"), (2, 6, "above")])
def test_a_sweep_that_ends_before_the_right_l0_says_which_way_to_go(
    least: float, most: float, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_coherence = Score(0.0, {"coherence": Piece([-0.3, 0.45], [1.0, -1.5], [[1.0, -1.5]])}, 0.5, [0.0]).document
    monkeypatch.setattr("sbw.verdict.weighing.load_rule", lambda: {"sweep": by_coherence, "alone": by_coherence})
    part = coded()[coded()["k"].between(least, most)]
    verdict, _ = weighed(pieces_of(part, projections()))
    assert verdict.kind == "edge"
    assert verdict.l0 is None
    assert f"the right L0 is {way} the swept L0" in verdict.words


@pytest.mark.parametrize(("latents", "l0"), [(H - 1, 100), (H, 0.5 * RIGHT)])
def test_beyond_the_toys_that_the_rule_was_fitted_on_there_is_a_caution(
    latents: int, l0: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence, rule = pieces_of(coded(), projections()), load_rule()
    for most_latents, most_l0, caution in ((H, 100, False), (latents, l0, True)):
        beyond = rule["fitted_on"] | {"latents": [1, most_latents], "l0": [1, most_l0]}
        monkeypatch.setattr("sbw.verdict.weighing.load_rule", lambda beyond=beyond: rule | {"fitted_on": beyond})
        verdict, _ = weighed(evidence)
        assert verdict.kind == "estimate"
        said = f"fitted on toys of at most {most_latents} latents and a right L0 of at most {most_l0:g}"
        assert (said in verdict.words) == caution


def test_two_l0s_are_inconclusive() -> None:
    verdict, _ = weighed(pieces_of(coded()[coded()["k"] < 5], projections()))
    assert verdict.kind == "inconclusive"
    assert verdict.words == "inconclusive: a sweep needs at least 3 different L0s with all evidence, got 2."


def test_without_codes_the_metrics_of_the_decoder_decide() -> None:
    found = recommend(coded().drop(columns="coherence"), projections())
    assert found.verdicts[-1].kind == "minimum"
    assert not len(found.evidence)


def test_an_sae_alone_is_too_low_about_right_or_too_high() -> None:
    evidence = pieces_of(coded(), projections())
    found = dict(zip(KS, diagnosed(evidence), strict=True))
    assert [found[k].side for k in (2.0, 8.0, 14.0)] == ["too low", "about right", "too high"]
    assert found[2.0].high < 1 < found[14.0].low
    score = Score.of(load_rule()["alone"])
    halves = score.error * alone_scales(score, evidence)
    assert [math.log(one.high / one.low) / 2 for one in found.values()] == pytest.approx(list(halves))


def test_an_sae_with_a_missing_piece_is_inconclusive() -> None:
    evidence = pieces_of(coded(), projections())
    evidence.loc[8.0, "weakest"] = math.nan
    assert diagnosed(evidence)[KS.index(8.0)].side == "inconclusive"


def test_pieces_are_means_over_seeds_by_ascending_l0() -> None:
    table = coded()
    table.loc[table["seed"] == 1, "coherence"] += 0.1
    evidence = pieces_of(table.sample(frac=1, random_state=0), projections())
    assert evidence.index.tolist() == list(KS)
    assert evidence.loc[8.0, "coherence"] == pytest.approx(0.05)
    assert evidence["error_falls_below"].isna().tolist() == [True] + [False] * 6
    assert evidence["coherence_falls_above"].iloc[0] == pytest.approx(-0.2)
    assert evidence.loc[8.0, "width"] == pytest.approx(0, abs=1e-9)


def test_saes_of_one_l0_have_no_slope_between_them() -> None:
    table = coded()
    table.loc[table["k"] == 10.0, "l0"] = 0.99 * 8.0
    evidence = pieces_of(table, projections())
    assert evidence["error_falls_below"].isna().sum() == 2
    verdict, _ = weighed(evidence)
    assert verdict.kind == "estimate"
