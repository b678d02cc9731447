"""Train the SAEs of one k of the sweep, all seeds together, into data/sae/sweep/k=K/seed=S."""

from pathlib import Path

from sbw.params import Params
from stages.cli import one_of, run, whole_folder


def main(params: Params, value: str) -> None:
    sweep = params.sweep
    k = {f"{k:g}": k for k in sweep.ks}[one_of("k", value, [f"{k:g}" for k in sweep.ks])]

    from sbw.saes import initial_sae, save_sae
    from sbw.toy import load_toy
    from sbw.training import train_on_toy

    toy = load_toy(Path("data/toy", sweep.toy))
    saes = [initial_sae(k, toy.features.hidden_dim, sweep.d_sae, seed) for seed in sweep.seeds]
    train_on_toy(saes, toy, sweep, log_every=100, label=f"sweep k={k:g}")
    with whole_folder(Path(f"data/sae/sweep/k={k:g}")) as folder:
        for seed, sae in zip(sweep.seeds, saes, strict=True):
            save_sae(sae, folder / f"seed={seed}")


if __name__ == "__main__":
    run(main, __doc__, k="value of `sweep.ks`")
