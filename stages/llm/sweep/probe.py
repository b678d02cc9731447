"""Probe few latents of the SAEs of one k of `sweep`, in data/llm/probing/saes/k=K.parquet."""

from functools import partial
from pathlib import Path

from sbw.params import Llm
from sbw.run.outputs import whole
from sbw.run.stage import number_of, run

OUT = Path("data/llm")


def main(llm: Llm, value: str) -> None:
    probing, k = llm.probing, number_of("k", value, llm.sweep.ks)

    import pandas as pd

    from sbw.files import folder_of, save_table
    from sbw.llm.probing import PROBES, over_datasets, probe
    from sbw.llm.sweep import SweptSae
    from sbw.saes.disk import load_sae

    tables = []
    for sae in [SweptSae(k, seed) for seed in llm.sweep.seeds]:
        one = partial(probe, load_sae(OUT / "sweep/sae" / sae.name), counts=probing.latents, seed=probing.seed)
        rows = over_datasets(one, probing.datasets, OUT / "probing/activations", probing.seed, sae.name)
        tables.append(rows.assign(k=sae.k, seed=sae.seed))
    probes = pd.concat(tables, ignore_index=True)[PROBES.names]
    with whole(OUT / "probing/saes" / f"{folder_of({'k': k})}.parquet") as path:
        save_table(probes, PROBES, path)
    print(probes.groupby(["seed", "latents"])[["f1", "auc"]].mean().to_string(float_format="%.4g"))


if __name__ == "__main__":
    run(main, __doc__, Llm, k="value of `sweep.ks`")
