"""Train the SAE in focus, at the top-level `k`, into data/sae/train, and write its training curve."""

from pathlib import Path

from sbw.params import Params
from stages.cli import run, whole, whole_folder


def main(params: Params) -> None:
    from sbw.toy import load_toy
    from sbw.trainer import save_sae, train_sae

    toy = load_toy(Path("data/toy", params.train.toy))
    sae, curve = train_sae(toy, params.k, params.train)
    with whole_folder(Path("data/sae/train")) as folder, whole(Path("plots/training_curve.csv")) as csv:
        save_sae(sae, folder)
        curve.to_csv(csv, index=False)


if __name__ == "__main__":
    run(main, __doc__)
