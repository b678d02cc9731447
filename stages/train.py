"""Train the SAE in focus, at the top-level `k`, into data/sae/train, and write its training curve."""

from pathlib import Path

from sbw.params import Params
from sbw.run.outputs import whole, whole_folder
from sbw.run.stage import run


def main(params: Params) -> None:
    import pandas as pd

    from sbw.lockstep.toys import train_on_toy
    from sbw.saes.disk import save_sae
    from sbw.saes.untrained import initial_sae
    from sbw.toy.generators import seeded
    from sbw.toy.model import load_toy

    train, training = params.train, params.training
    toy = load_toy(Path("data/toy", train.toy))
    sae = initial_sae(params.k, toy.features.hidden_dim, train.d_sae, train.seed)
    points = train_on_toy(
        [sae],
        toy.stream(training.batch_size, seeded(training.stream_seed)),
        training,
        f"train k={params.k:g}",
        names=[f"train k={params.k:g}"],
        samples=training.samples,
        log_every=train.log_every,
    )
    curve = pd.DataFrame(points)
    with whole_folder(Path("data/sae/train")) as folder, whole(Path("plots/training_curve.csv")) as csv:
        save_sae(sae, folder)
        curve[["step", "loss", "l0"]].to_csv(csv, index=False)


if __name__ == "__main__":
    run(main, __doc__)
