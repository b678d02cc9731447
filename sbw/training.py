"""Train SAEs on a toy's activations, the paper's way, with a progress bar."""

from collections.abc import Sequence
from typing import Any

from sae_lens import TrainingSAE
from tqdm import tqdm

from sbw.lockstep import CurvePoint, train_lockstep
from sbw.params import Training
from sbw.rng import seeded
from sbw.saes import pick_device
from sbw.toy import Toy


def train_on_toy(
    saes: Sequence[TrainingSAE[Any]], toy: Toy, params: Training, log_every: int, label: str
) -> list[CurvePoint]:
    """Train SAEs in place, all on the stream of `params.stream_seed`.

    The bar shows steps a second, time left, and the mean loss and L0 of the SAEs that this process trains; it is quiet
    where standard error is not a terminal.

    Returns:
        The training curves, a point an SAE every `log_every` steps.
    """
    steps = -(-params.samples // params.batch_size)
    with tqdm(total=steps, desc=label, unit="step", disable=None) as bar:

        def show(new_steps: int, points: list[CurvePoint]) -> None:
            bar.update(new_steps)
            if points:
                loss, l0 = (sum(column) / len(points) for column in zip(*(point[2:] for point in points), strict=True))
                bar.set_postfix(loss=f"{loss:.3f}", l0=f"{l0:.2f}", refresh=False)

        return train_lockstep(
            saes,
            lambda: toy.stream(params.batch_size, seeded(params.stream_seed)),
            steps=steps,
            lr=params.lr,
            log_every=log_every,
            device=pick_device(params.device),
            on_chunk=show,
        )
