"""How much faster than SAELens's toy loop is the lockstep trainer, and how far above this machine's GEMMs?

    python -m tests.benchmarks.lockstep

Milliseconds per step and SAE, data generation included, on the main toy at k = 11; rounds of both, in turn, and the
medians over the rounds, since machines drift. The floor is the five matrix products of a step, on as many processes as
the trainer uses.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from sae_lens.synthetic import train_toy_sae

from sbw.lockstep.trainer import train_lockstep
from sbw.run.loading import load_params
from sbw.run.processes import map_processes, processors
from sbw.saes.untrained import initial_sae
from sbw.synthesis.laws import build_toy
from sbw.toy.generators import drawing_from, seeded
from sbw.toy.model import Toy

BATCH, K, LR = 1024, 11, 3e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000, help="steps of each measurement (default: 1000)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each, in turn (default: 3)")
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2, 5, 25], help="SAEs trained together")
    arguments = parser.parse_args()
    toy = build_toy(load_params(Path()).toys["main"])
    subjects: dict[str, Callable[[], float]] = {
        "SAELens": partial(saelens, toy, arguments.steps),
        "GEMM floor": partial(gemm_floor, toy, arguments.steps),
        **{f"lockstep R={r}": partial(lockstep, toy, arguments.steps, r) for r in arguments.replicas},
    }
    times: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(arguments.rounds):
        for name, measure in subjects.items():
            times[name].append(1e3 * measure())
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"\n{'':16}{'ms per step and SAE':>20}{'x faster than SAELens':>24}{'x the GEMM floor':>20}")
    for name, median in medians.items():
        faster, above = medians["SAELens"] / median, median / medians["GEMM floor"]
        print(f"{name:16}{median:20.3f}{faster:24.1f}{above:20.2f}")


def saelens(toy: Toy, steps: int) -> float:
    """Seconds per step of SAELens's loop."""
    sae = initial_sae(K, toy.features.hidden_dim, 50, seed=0)
    with drawing_from(seeded(0)):
        return _seconds(lambda: train_toy_sae(sae, toy.features, toy.activations, steps * BATCH, BATCH, LR)) / steps


def lockstep(toy: Toy, steps: int, replicas: int) -> float:
    """Seconds per step and SAE of the lockstep trainer."""
    saes = [initial_sae(K, toy.features.hidden_dim, 50, seed) for seed in range(replicas)]
    train = partial(train_lockstep, saes, toy.stream(BATCH, seeded(0)), steps=steps, lr=LR)
    return _seconds(train) / steps / replicas


def gemm_floor(toy: Toy, steps: int) -> float:
    """Seconds of a step's five matrix products, shared among the processors."""
    d, workers = toy.features.hidden_dim, processors()
    return _seconds(lambda: map_processes(lambda _: multiply(d, 50, steps), range(workers))) / steps / workers


def multiply(d: int, h: int, steps: int) -> None:
    """Take the five matrix products of so many steps."""
    wide, narrow, weights = torch.zeros(d, BATCH), torch.zeros(h, BATCH), torch.zeros(h, d)
    for _ in range(steps):
        torch.mm(weights, wide, out=narrow)
        torch.mm(weights.T, narrow, out=wide)
        torch.mm(weights, wide, out=narrow)
        torch.mm(narrow, wide.T, out=weights)
        torch.mm(narrow, wide.T, out=weights)


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
