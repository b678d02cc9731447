"""How fast is training, and how much memory does it take, from 50 features to SynthSAEBench's 16,384?

    python -m tests.benchmarks.sizes

Milliseconds per step and SAE, with data generation, of SAELens's `SyntheticSAERunner` and `train_toy_sae` and of the
lockstep trainer, on one toy of each size: as many latents as features, Zipf firing rates, correlations of low rank, k
the true L0. Each is measured in a process of its own, in turn, and the median over rounds is taken. The GEMM limit is
the five matrix products of a step, shared among the processors: what a trainer that multiplies all latents cannot beat.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

from sae_lens import BatchTopKTrainingSAE, LoggingConfig
from sae_lens.synthetic import SyntheticSAERunner, SyntheticSAERunnerConfig, train_toy_sae

from sbw.lockstep.trainer import train_lockstep
from sbw.params.toys import ToyParams
from sbw.run.processes import map_processes, processors
from sbw.saes.untrained import initial_sae
from sbw.synthesis.laws import build_toy
from sbw.toy.generators import drawing_from, seeded
from sbw.toy.model import Toy
from tests.benchmarks.lockstep import multiply

BATCH, LR = 1024, 3e-4
WIDTHS = {50: 100, 200: 128, 1024: 256, 16384: 768}
"""Width of the activations by number of features."""
STEPS = {50: 600, 200: 200, 1024: 50, 16384: 5}
LOCKSTEP = ["lockstep, 1 SAE", "lockstep, 2 SAEs", "lockstep, 8 SAEs"]
SUBJECTS = ["SyntheticSAERunner", "train_toy_sae", *LOCKSTEP, "GEMM limit"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--features", type=int, nargs="+", default=list(WIDTHS), choices=WIDTHS, help="sizes to measure"
    )
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each, in turn (default: 3)")
    parser.add_argument("--one", choices=SUBJECTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(*measured(arguments.one, arguments.features[0]))
        return
    print(f"{'features':>8}  {'':20}{'ms per step, SAE':>18}{'x train_toy_sae':>17}{'of the limit':>14}{'GB':>7}")
    for features in arguments.features:
        _report(features, arguments.rounds)


def measured(subject: str, features: int) -> tuple[float, float]:
    """Milliseconds per step and SAE, and the most memory the process and its children held, each, in GB."""
    toy, steps = _toy(features), STEPS[features]
    k, d = round(toy.activations.firing_probabilities.sum().item()), WIDTHS[features]
    run: dict[str, Callable[[], object]] = {
        "SyntheticSAERunner": partial(_runner, toy, initial_sae(k, d, features, 0), steps),
        "train_toy_sae": partial(_toy_loop, toy, initial_sae(k, d, features, 0), steps),
        "GEMM limit": partial(map_processes, lambda _: multiply(d, features, steps), range(processors())),
    }
    count = int(subject.split()[1]) if subject in LOCKSTEP else 1
    saes = [initial_sae(k, d, features, seed) for seed in range(count if subject in LOCKSTEP else 0)]
    lockstep = partial(train_lockstep, saes, toy.stream(BATCH, seeded(0)), steps=steps, lr=LR)
    start = time.perf_counter()
    run.get(subject, lockstep)()
    seconds = time.perf_counter() - start
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    shared = processors() if subject == "GEMM limit" else count
    return 1e3 * seconds / steps / shared, max(peaks) / 1e6


def _report(features: int, rounds: int) -> None:
    found: dict[str, list[tuple[float, float]]] = {subject: [] for subject in SUBJECTS}
    for _ in range(rounds):
        for subject, values in found.items():
            command = [sys.executable, "-m", "tests.benchmarks.sizes", "--features", str(features), "--one", subject]
            output = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            milliseconds, peak = map(float, output.stdout.split()[-2:])
            values.append((milliseconds, peak))
    medians = {subject: statistics.median(value[0] for value in values) for subject, values in found.items()}
    for subject, median in medians.items():
        faster, share = medians["train_toy_sae"] / median, medians["GEMM limit"] / median
        peak = max(value[1] for value in found[subject])
        print(f"{features:8}  {subject:20}{median:18.2f}{faster:17.2f}{share:14.0%}{peak:7.2f}", flush=True)


def _toy(features: int) -> Toy:
    return build_toy(
        ToyParams.model_validate(
            {
                "num_features": features,
                "d_in": WIDTHS[features],
                "seed": 0,
                "orthogonalization_steps": 0,
                "firing": {"law": "zipf", "max": 0.5, "min": min(0.05, 10 / features), "exponent": 0.8},
                "magnitude": {"law": "constant", "mean": 1.0, "std": 0.15},
                "correlation": {"law": "low_rank", "rank": 16, "scale": 0.1, "seed": 0},
            }
        )
    )


def _runner(toy: Toy, sae: BatchTopKTrainingSAE, steps: int) -> None:
    assert toy.model, "no matrix of correlations"
    config = SyntheticSAERunnerConfig(
        toy.model.cfg, sae.cfg, steps * BATCH, BATCH, LR, checkpoint_path=None, output_path=None, run_final_eval=False,
        logger=LoggingConfig(log_to_wandb=False),
    )  # fmt: skip
    with drawing_from(seeded(0)):
        SyntheticSAERunner(config, override_synthetic_model=toy.model, override_sae=sae).run()


def _toy_loop(toy: Toy, sae: BatchTopKTrainingSAE, steps: int) -> None:
    with drawing_from(seeded(0)):
        train_toy_sae(sae, toy.features, toy.activations, steps * BATCH, BATCH, LR)


if __name__ == "__main__":
    main()
