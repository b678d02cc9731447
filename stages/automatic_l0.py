"""Train SAEs whose L0 moves itself: SAEs in data/sae/automatic_l0, the path of L0 in data/metrics/automatic_l0."""

from functools import partial
from pathlib import Path
from typing import Any

from sbw.params import Params
from sbw.run.outputs import whole_folder
from sbw.run.stage import run


def main(params: Params) -> None:
    import pandas as pd

    from sbw.files import save_table
    from sbw.lockstep.device import pick_device
    from sbw.run.processes import map_processes, processes_on
    from sbw.toy.model import load_sample, load_toy, true_l0
    from sbw.verdict.automatic_l0 import PATH

    section = params.automatic_l0
    place = Path("data/toy", section.toy)
    toy = load_toy(place)
    true = true_l0(load_sample(toy, place).feature_acts)
    with (
        whole_folder(Path("data/sae/automatic_l0")) as folder,
        whole_folder(Path("data/metrics/automatic_l0")) as tables,
    ):
        processes = processes_on(pick_device(params.training.device))
        steered = map_processes(partial(train, params, toy, folder), section.starts, processes)
        paths = [pd.DataFrame(one.path).assign(start=start) for start, one in zip(section.starts, steered, strict=True)]
        save_table(pd.concat(paths).assign(toy=section.toy, true_l0=true)[PATH.names], PATH, tables / "path.parquet")
    for start, one in zip(section.starts, steered, strict=True):
        last = one.path[-1]
        print(f"from L0 {start:g} to {last.l0:.2f}, where the coherence is {last.coherence:.4f}; true L0 {true:.2f}")


def train(params: Params, toy: Any, folder: Path, start: float) -> Any:
    """The SAEs of one start, saved to their folders; returns what steered them."""
    from sbw.files import folder_of
    from sbw.lockstep.toys import train_on_toy
    from sbw.saes.disk import save_sae
    from sbw.saes.untrained import initial_sae
    from sbw.toy.generators import seeded
    from sbw.verdict.automatic_l0 import L0Steering

    section, training = params.automatic_l0, params.training
    steer = L0Steering(start, training.steps(), section.d_sae)
    saes = [initial_sae(start, toy.features.hidden_dim, section.d_sae, seed) for seed in section.seeds]
    train_on_toy(
        saes,
        toy.stream(training.batch_size, seeded(training.stream_seed)),
        training,
        f"automatic L0 from {start:g}",
        names=[f"automatic_l0: {folder_of({'start': start, 'seed': seed})}" for seed in section.seeds],
        samples=training.samples,
        log_every=100,
        steer=steer,
    )
    for seed, sae in zip(section.seeds, saes, strict=True):
        sae.cfg.k = steer.l0
        save_sae(sae, folder / folder_of({"start": start, "seed": seed}))
    return steer


if __name__ == "__main__":
    run(main, __doc__)
