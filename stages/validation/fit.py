"""Fit the rule on the calibration toys: sbw/verdict/rule.json, and what it was fitted on in data/metrics/fit.json.

The rule is no output of this stage for DVC: the main pipeline, which reads it, would wait for the whole validation.
"""

import json
import re
from pathlib import Path
from typing import Any

from sbw.params import Validation
from sbw.run.outputs import whole, write_json
from sbw.run.stage import run

MEASURED = Path("data/validation/measured")


def main(params: Validation) -> None:
    from sbw.verdict.fitting import fitted_rule
    from sbw.verdict.offsets import RULE
    from sbw.verdict.trials import sweeps_of

    rule = fitted_rule([sweep for name in params.fitted_on for sweep in sweeps_of(params, name, MEASURED)])
    priors = {name: params.sets[name].prior for name in params.fitted_on}
    rule["fitted_on"]["priors"] = {name: prior and prior.model_dump() for name, prior in priors.items()}
    fitted = rule["fitted_on"]
    with whole(RULE) as shipped, whole(Path("data/metrics/fit.json")) as path:
        shipped.write_text(_compact(rule), encoding="utf-8")
        write_json(fitted, path)
    error = f"median |log error| {fitted['median_error']:.3f} on toys left out"
    print(f"fitted on {fitted['toys']} toys: {error}")


def _compact(rule: dict[str, Any]) -> str:
    """JSON with each list of numbers on a line of its own."""
    return re.sub(r"\[[^\[\]{}]*\]", lambda found: " ".join(found[0].split()), json.dumps(rule, indent=1)) + "\n"


if __name__ == "__main__":
    run(main, __doc__, Validation)
