"""Results do not depend on how many threads there are, nor on time zone, locale, hash seed or umask."""

import os
from dataclasses import replace

from tests.conftest import Clone, lock

SURROUNDINGS = {"OMP_NUM_THREADS": "2", "TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "1"}


def test_every_output_has_the_same_hash(fresh: Clone, undisturbed: Clone, torture: bool) -> None:
    clone = replace(fresh, variables=SURROUNDINGS)
    before = os.umask(0o077)
    try:
        clone.dvc("repro", *([] if torture else ["collect_l0", "synthesize@five", "figures@toy"]))
    finally:
        os.umask(before)
    expected, found = lock(undisturbed), lock(clone)
    assert {name: entry for name, entry in expected.items() if name in found} == found
    assert len(found) == len(expected) if torture else len(found) == 4
