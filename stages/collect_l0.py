"""Write the L0 of every pretrained SAE in SAELens's directory to data/pretrained/l0.parquet."""

from pathlib import Path

from sbw.params import Params
from sbw.run.outputs import whole
from sbw.run.stage import run


def main(params: Params) -> None:
    from sbw.files import save_table
    from sbw.pretrained.directory import PRETRAINED, pretrained_saes, select

    saes = pretrained_saes()
    wanted = params.collect_l0
    saes["selected"] = select(saes, wanted.models, wanted.releases, wanted.require_neuronpedia)
    with whole(Path("data/pretrained/l0.parquet")) as path:
        save_table(saes, PRETRAINED, path)
    chosen = saes[saes["selected"]]
    print(f"{len(saes)} SAEs, {len(chosen)} of {chosen['model'].nunique()} models selected, "
          f"median L0 {chosen['l0'].median():g}")  # fmt: skip


if __name__ == "__main__":
    run(main, __doc__)
