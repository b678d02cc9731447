"""A feature below another fires only where that does, in every sample, with the rate and strength of its law."""

import pytest
import torch

from sbw.toy.generators import seeded
from sbw.toy.model import Toy
from tests.sbw.synthesis.test_laws import CORRELATIONS, ROWS, TREES, assert_rates, toy_of


@pytest.mark.parametrize("correlation", ["none", "low_rank"])
def test_no_child_fires_without_its_parent_in_any_sample(correlation: str) -> None:
    law = {"law": correlation, **CORRELATIONS[correlation]}
    tried = toy_of(hierarchy=TREES | {"mutually_exclusive_portion": 1.0}, correlation=law)
    fired = tried.sample(ROWS, seeded(0)) > 0
    for parent, children in families(tried):
        assert not (fired[:, children].any(dim=1) & ~fired[:, parent]).any()
        assert fired[:, children].sum(dim=1).max() == 1
    assert families(tried)[0] == (0, [3, 4, 5])
    assert len(families(tried)) == 3 + 4  # three roots; 12 features are left for the children of theirs


def test_children_may_fire_together_unless_they_exclude_each_other() -> None:
    fired = toy_of(hierarchy=TREES).sample(ROWS, seeded(0)) > 0
    assert fired[:, [3, 4, 5]].sum(dim=1).max() == 3


def test_rates_of_a_hierarchy_are_those_of_its_branches_unless_compensated() -> None:
    firing = {"law": "linear", "max": 0.6, "min": 0.1}
    own = toy_of(firing=firing).activations.firing_probabilities.double()
    silenced = toy_of(firing=firing, hierarchy=TREES)
    expected = own.clone()
    for parent, children in families(silenced):
        expected[children] = own[children] * expected[parent]
    assert_rates(silenced.sample(ROWS, seeded(0)) > 0, expected)
    whole = toy_of(firing=firing, hierarchy=TREES | {"compensate_probabilities": True})
    assert_rates(whole.sample(ROWS, seeded(0)) > 0, own)


def test_children_are_scaled_by_their_parent_where_asked() -> None:
    magnitude = {"law": "constant", "mean": 2.0, "std": 0.5}
    for scaled in (False, True):
        tried = toy_of(magnitude=magnitude, hierarchy=TREES | {"scale_children_by_parent": scaled})
        acts = tried.sample(ROWS, seeded(0))
        both = acts[acts[:, 3] > 0][:, [0, 3]]
        together = torch.corrcoef(both.T)[0, 1]
        assert (together > 0.5) if scaled else (together.abs() < 0.05)


def families(tried: Toy) -> list[tuple[int, list[int]]]:
    """Each parent of the hierarchy with its children."""
    assert tried.model
    assert tried.model.hierarchy
    found, nodes = [], list(tried.model.hierarchy.roots)
    for node in nodes:
        nodes.extend(node.children)
        if node.children:
            found.append((node.feature_index, [child.feature_index for child in node.children]))
    return found
