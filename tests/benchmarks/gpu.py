"""What a GPU gains: the trainer against SAELens's loop, and the language model's harvest and training.

    python -m tests.benchmarks.gpu

Milliseconds per step and SAE of SAELens's trainer and of lockstep on the same batches, in turn, medians over rounds;
tokens per second of a forward pass up to the hook of `stages/llm/params.yaml` and of training an SAE of its size; and
how far the weights of SAEs trained there are from those trained on the CPU. Meant to take eight minutes. With
`--device cpu --share 0.01` the same runs anywhere.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from sae_lens import TrainingSAE
from sae_lens.config import LoggingConfig, SAETrainerConfig
from sae_lens.training.sae_trainer import SAETrainer
from torch import Tensor

from sbw.llm.activations import open_store, tokenise
from sbw.llm.corpus import texts_of, write_corpus
from sbw.llm.model import Model, fetch_model, load_model, width_at
from sbw.lockstep.device import pick_device
from sbw.lockstep.trainer import train_lockstep
from sbw.params import Llm
from sbw.run.loading import load_document
from sbw.saes.untrained import initial_sae
from sbw.toy.generators import seeded


class Shape(NamedTuple):
    """SAEs to train, and for how long."""

    saes: int
    d_in: int
    d_sae: int
    k: float
    batch: int
    steps: int


TOYS = Shape(saes=25, d_in=100, d_sae=50, k=11, batch=1024, steps=2000)
LARGE = Shape(saes=8, d_in=768, d_sae=16_384, k=64, batch=4096, steps=200)
ROUNDS, LR = 3, 3e-4
HARVESTED = 300_000
"""Tokens of the harvest."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", help="where to measure (default: a GPU, if there is one)")
    parser.add_argument("--share", type=float, default=1.0, help="of the steps, latents and tokens (default: 1)")
    arguments = parser.parse_args()
    device, share = pick_device(arguments.device), arguments.share
    print(f"device: {torch.cuda.get_device_name() if device.startswith('cuda') else device}, torch {torch.__version__}")
    for name, shape in {"toy SAEs": TOYS, "SAEs of 16,384 latents": LARGE}.items():
        compare(name, scaled(shape, share), device)
    differ(scaled(TOYS, share), device)
    language_model(load_document(Llm, Path("stages/llm/params.yaml")), device, share)


def scaled(shape: Shape, share: float) -> Shape:
    """A shape of fewer steps, and of fewer latents where they are many."""
    latents = max(64, round(shape.d_sae * share)) if shape.d_sae > 64 else shape.d_sae
    return shape._replace(steps=max(4, round(shape.steps * share)), d_sae=latents, k=min(shape.k, latents / 4))


def compare(name: str, shape: Shape, device: str) -> None:
    """Print milliseconds per step and SAE, of one by SAELens's trainer and of all by lockstep."""
    times: dict[str, list[float]] = {"SAELens": [], "lockstep": []}
    for trainer in (saelens, lockstep):
        trainer(shape._replace(steps=2), device)  # a device's first steps take longer
    for _ in range(ROUNDS):
        times["SAELens"].append(saelens(shape, device) / shape.steps)
        times["lockstep"].append(lockstep(shape, device) / shape.steps / shape.saes)
    medians = {trainer: 1e3 * statistics.median(values) for trainer, values in times.items()}
    print(f"{shape.saes} {name}: {medians['SAELens']:.3f} ms per step and SAE by SAELens, "
          f"{medians['lockstep']:.3f} by lockstep: {medians['SAELens'] / medians['lockstep']:.1f} times")  # fmt: skip


def differ(shape: Shape, device: str) -> None:
    """Print how far decoders trained on the device are from those of the CPU after a few steps."""
    few = shape._replace(saes=3, steps=min(shape.steps, 20))
    there, here = untrained(few), untrained(few)
    for saes, place in ((there, device), (here, "cpu")):
        train_lockstep(saes, stream(few, place), steps=few.steps, lr=LR, device=place)
    apart = max((a.W_dec - b.W_dec).abs().max().item() for a, b in zip(there, here, strict=True))
    print(f"after {few.steps} steps decoders differ from the CPU's by at most {apart:.1e}")


def language_model(llm: Llm, device: str, share: float) -> None:
    """Print tokens per second of the harvest, of one SAE's training and of the training of all of a cell."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        fetch_model(llm.model, folder / "model")
        (folder / "corpus").mkdir()
        texts = texts_of(llm.corpus.model_copy(update={"texts": max(100, round(20_000 * share))}))
        write_corpus(texts, llm.corpus.held_out, llm.corpus.seed, folder / "corpus")
        model = load_model(folder / "model", llm.model_class, llm.dtype, device)
        tokens = harvested(model, llm, folder, round(HARVESTED * share))
        shape = Shape(
            1, width_at(model, llm.hook), llm.train.d_sae, 64, llm.train.batch_size, max(4, round(200 * share))
        )
    print(f"harvest at {llm.hook}: {tokens:,.0f} tokens per second")
    for saes in (1, 8):
        together = shape._replace(saes=saes)
        lockstep(together._replace(steps=2), device)
        each = lockstep(together, device) / (shape.batch * shape.steps * saes)
        print(f"training {saes} SAEs at once: {1e6 * each:.2f} microseconds per token and SAE")


def harvested(model: Model, llm: Llm, folder: Path, tokens: int) -> float:
    """Tokens per second of the model up to the hook."""
    store = open_store(model, folder / "corpus/train", llm.hook, llm.context_size, llm.harvest.batch_size)
    contexts = torch.tensor(tokenise(store, folder, tokens=max(tokens, 1000)).tokens, dtype=torch.long)
    batches = torch.split(contexts.to(model.cfg.device), llm.harvest.batch_size)

    def run(some: Sequence[Tensor]) -> None:
        with torch.no_grad():
            for batch in some:
                store.get_activations(batch)

    run(batches[:1])
    return contexts.numel() / seconds(model.cfg.device, partial(run, batches))


def saelens(shape: Shape, device: str) -> float:
    """Seconds in which SAELens's trainer trains one SAE."""
    config = SAETrainerConfig(
        shape.batch * shape.steps, shape.batch, lr=LR, lr_end=LR, device=device,
        logger=LoggingConfig(log_to_wandb=False),
    )  # fmt: skip
    trainer = SAETrainer(config, untrained(shape)[0].to(device), stream(shape, device))
    return seconds(device, trainer.fit)


def lockstep(shape: Shape, device: str) -> float:
    """Seconds in which lockstep trains all."""
    saes, batches = untrained(shape), stream(shape, device)
    return seconds(device, partial(train_lockstep, saes, batches, steps=shape.steps, lr=LR, device=device))


def untrained(shape: Shape) -> list[TrainingSAE[Any]]:
    """The SAEs of a shape."""
    return [initial_sae(shape.k, shape.d_in, shape.d_sae, seed) for seed in range(shape.saes)]


def stream(shape: Shape, device: str) -> Iterator[Tensor]:
    """Eight batches of random activations with a mean, again and again, so that drawing them is not what is timed."""
    batches = [batch.to(device) for batch in _drawn(shape.batch, shape.d_in)]
    return islice(cycle(batches), shape.steps)


@lru_cache(1)
def _drawn(batch: int, d_in: int) -> list[Tensor]:
    generator = seeded(0)
    return [torch.randn(batch, d_in, generator=generator) + 0.5 for _ in range(8)]


def seconds(device: str, function: Callable[[], object]) -> float:
    """How long a function takes, until the device has done all of it."""
    start = time.perf_counter()
    function()
    if str(device).startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
