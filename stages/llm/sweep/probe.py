"""Probe few latents of the SAEs of one cell of `sweep`, in data/llm/probing/saes/CELL.parquet."""

from functools import partial
from pathlib import Path

from sbw.params import Llm
from sbw.run.outputs import whole
from sbw.run.stage import one_of, run

OUT = Path("data/llm")


def main(llm: Llm, cell: str) -> None:
    probing, ks = llm.probing, llm.sweep.cells[one_of("cell", cell, list(llm.sweep.cells))]

    import pandas as pd

    from sbw.files import save_table
    from sbw.llm.probing import PROBES, over_datasets, probe
    from sbw.llm.sweep import swept
    from sbw.saes.disk import load_sae

    tables = []
    for sae in swept(ks, llm.sweep.seeds):
        one = partial(probe, load_sae(OUT / "sweep/sae" / cell / sae.name), counts=probing.latents, seed=probing.seed)
        rows = over_datasets(one, probing.datasets, OUT / "probing/activations", probing.seed, sae.name)
        tables.append(rows.assign(k=sae.k, seed=sae.seed))
    probes = pd.concat(tables, ignore_index=True)[PROBES.names]
    with whole(OUT / "probing/saes" / f"{cell}.parquet") as path:
        save_table(probes, PROBES, path)
    print(probes.groupby(["k", "seed", "latents"])[["f1", "auc"]].mean().to_string(float_format="%.4g"))


if __name__ == "__main__":
    run(main, __doc__, Llm, cell="name of the cell in `sweep.cells`")
