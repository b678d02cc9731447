"""Fit the rule on the calibration toys: sbw/verdict/rule.json, and what it was fitted on in data/metrics/fit.json.

The rule is no output of this stage for DVC: the main pipeline, which reads it, would wait for the whole validation.
"""

from pathlib import Path

from sbw.params import Validation
from sbw.run.outputs import whole, write_json
from sbw.run.stage import run


def main(params: Validation) -> None:
    from sbw.verdict.fitting import fitted_rule
    from sbw.verdict.offsets import RULE
    from sbw.verdict.trials import sweeps_of

    rule = fitted_rule([sweep for name in params.fitted_on for sweep in sweeps_of(params, name)])
    priors = {name: params.sets[name].prior for name in params.fitted_on}
    rule["fitted_on"]["priors"] = {name: prior and prior.model_dump() for name, prior in priors.items()}
    fitted = rule["fitted_on"]
    with whole(RULE) as shipped, whole(Path("data/metrics/fit.json")) as path:
        write_json(rule, shipped)
        write_json(fitted, path)
    print(f"fitted on {fitted['toys']} toys, intervals from {fitted['kept']} others: "
          f"median |log error| {fitted['median_error']:.3f} on these")  # fmt: skip


if __name__ == "__main__":
    run(main, __doc__, Validation)
