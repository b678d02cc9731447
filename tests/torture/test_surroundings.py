"""Results do not depend on how many threads there are, nor on time zone, locale, hash seed or umask."""

import os
import sys
from dataclasses import replace

from tests.conftest import Clone, lock
from tests.processes import IN_ONE_PROCESS

SURROUNDINGS = {"OMP_NUM_THREADS": "2", "TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "1"}


def test_every_output_has_the_same_hash(fresh: Clone, undisturbed: Clone, torture: bool) -> None:
    clone = replace(fresh, variables=SURROUNDINGS)
    before = os.umask(0o077)
    try:
        if torture:
            clone.dvc("repro")
        else:
            clone.run(sys.executable, "-c", IN_ONE_PROCESS, "collect_l0", "synthesize main", "figures toy")
    finally:
        os.umask(before)
    if torture:
        assert lock(clone) == lock(undisturbed)
    for name in ("data/pretrained", "data/toy/main", "plots/toy"):
        clone.run("diff", "-r", name, str(undisturbed.root / name))
