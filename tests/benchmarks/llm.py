"""How much faster than SAELens's trainer is lockstep at the size of a language model's SAEs?

    python -m tests.benchmarks.llm

Microseconds of processor time per token, on one thread, of a BatchTopK SAE of the params' size on random
activations; rounds of both, in turn, and the medians over the rounds.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from sae_lens.config import LoggingConfig, SAETrainerConfig
from sae_lens.training.sae_trainer import SAETrainer
from torch import Tensor

from sbw.lockstep.trainer import train_lockstep
from sbw.params import Llm
from sbw.params.llm import LlmTraining
from sbw.run.loading import load_document
from sbw.saes.untrained import initial_sae
from sbw.toy.generators import seeded

D_IN, K = 576, 25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60, help="steps of each measurement (default: 60)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each, in turn (default: 3)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    params = load_document(Llm, Path("stages/llm/params.yaml")).train
    activations = torch.randn(arguments.steps * params.batch_size, D_IN, generator=seeded(0)) + 0.5
    times: dict[str, list[float]] = {"SAELens": [], "lockstep": []}
    for _ in range(arguments.rounds):
        for name, measure in (("SAELens", saelens), ("lockstep", lockstep)):
            times[name].append(1e6 * _seconds(partial(measure, params, activations)) / len(activations))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name:10}{median:8.0f} us per token{medians['SAELens'] / median:8.2f} x SAELens's speed")


def saelens(params: LlmTraining, activations: Tensor) -> None:
    """Train an SAE by SAELens's trainer."""
    quiet, lr = LoggingConfig(log_to_wandb=False), params.lr
    config = SAETrainerConfig(len(activations), params.batch_size, lr=lr, lr_end=lr, logger=quiet)
    sae = initial_sae(K, D_IN, params.d_sae, params.seed)
    SAETrainer(config, sae, iter(torch.split(activations, params.batch_size))).fit()


def lockstep(params: LlmTraining, activations: Tensor) -> None:
    """Train the same SAE by lockstep."""
    sae, steps = initial_sae(K, D_IN, params.d_sae, params.seed), len(activations) // params.batch_size
    train_lockstep([sae], iter(torch.split(activations, params.batch_size)), steps=steps, lr=params.lr, processes=1)


def _seconds(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


if __name__ == "__main__":
    main()
