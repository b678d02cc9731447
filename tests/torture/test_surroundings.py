"""Results do not depend on how many threads there are, nor on time zone, locale or umask."""

import os
from dataclasses import replace

import pytest

from tests.conftest import Clone, lock

SURROUNDINGS = [
    {"OMP_NUM_THREADS": "2", "TZ": "Pacific/Kiritimati", "LC_ALL": "C"},
    {"OMP_NUM_THREADS": "1", "TZ": "America/St_Johns", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "1"},
]


@pytest.mark.parametrize("surroundings", SURROUNDINGS, ids=["two threads", "one thread"])
def test_every_output_has_the_same_hash(
    fresh: Clone, undisturbed: Clone, surroundings: dict[str, str], torture: bool
) -> None:
    clone = replace(fresh, variables=surroundings)
    before = os.umask(0o077)
    try:
        clone.dvc("repro", *([] if torture else ["collect_l0", "synthesize@five", "figures@firing_probabilities"]))
    finally:
        os.umask(before)
    expected, found = lock(undisturbed), lock(clone)
    assert {name: entry for name, entry in expected.items() if name in found} == found
    assert len(found) == len(expected) if torture else len(found) == 4
