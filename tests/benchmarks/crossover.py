"""From which density on is a BatchTopK step faster by the active latents alone?

    python -m tests.benchmarks.crossover

Milliseconds per step of one SAE on one processor in both layouts, in turn, by its shape and its density k / d_sae;
`sbw.lockstep.sparse.is_faster` should name the faster one.
"""

import argparse
import statistics
import time
from itertools import product

import torch
from torch import Tensor

from sbw.lockstep.batchtopk import BatchTopKReplicas
from sbw.lockstep.sparse import SparseBatchTopK, is_faster
from sbw.saes.untrained import initial_sae
from sbw.toy.generators import seeded

DENSITIES = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
SHAPES = ((100, 50), (40, 100), (128, 128), (128, 256), (64, 512), (256, 256), (256, 512), (256, 1024), (576, 2304))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-size", type=int, default=1024, help="rows of a batch (default: 1024)")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each measurement (default: 0.5)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'d_in':>6}{'d_sae':>7}{'k':>8}{'density':>9}{'dense ms':>10}{'sparse ms':>11}{'ratio':>7}  chosen")
    for (d, h), density in product(SHAPES, DENSITIES):
        if density * h < 1:
            continue
        sae, batches = initial_sae(density * h, d, h, 0), _batches(d, h, density, arguments.batch_size)
        dense, sparse = (_step(kind([sae], 1, 3e-4, "cpu"), batches, arguments.seconds)
                         for kind in (BatchTopKReplicas, SparseBatchTopK))  # fmt: skip
        chosen = "sparse" if is_faster(sae) else "dense"
        slower = max(sparse, dense) / min(sparse, dense) - 1
        wrong = "" if (chosen == "sparse") == (sparse < dense) else f", slower by {slower:.0%}"
        print(f"{d:6}{h:7}{density * h:8.1f}{density:9.3f}{dense:10.2f}{sparse:11.2f}{dense / sparse:7.2f}"
              f"  {chosen}{wrong}", flush=True)  # fmt: skip


def _step(replicas: BatchTopKReplicas, batches: list[Tensor], seconds: float) -> float:
    """Milliseconds of a step, the median."""
    times: list[float] = []
    while sum(times) < 1e3 * seconds:
        start = time.perf_counter()
        replicas.step(batches[len(times) % len(batches)])
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def _batches(d: int, features: int, density: float, rows: int) -> list[Tensor]:
    generator = seeded(0)
    vectors = torch.nn.functional.normalize(torch.randn(features, d, generator=generator), dim=1)
    fired = (torch.rand(rows, features, generator=generator) < density for _ in range(4))
    return [(vectors.T @ acts.float().T).contiguous() for acts in fired]


if __name__ == "__main__":
    main()
