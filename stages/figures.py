"""Draw the figures of a family, as plots/FAMILY/NAME.svg and plots/pdf/FAMILY/NAME.pdf."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sbw.params import Params
from sbw.params.base import Section
from sbw.params.figures import FAMILIES
from sbw.run.outputs import whole_folder
from sbw.run.stage import one_of, run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def main(params: Params, family: str) -> None:
    one_of("family", family, list(FAMILIES))

    from sbw.figures.style import save_figure

    tables = {"pretrained": Path("data/pretrained"), "toy": Path("data/toy", params.train.toy)}
    folder, shown = tables.get(family, Path("data/metrics", family)), getattr(params.figures, family, None)
    figures = {name: drawn(name, folder, getattr(shown, name, None)) for name in FAMILIES[family]}
    with whole_folder(Path("plots", family)) as svgs, whole_folder(Path("plots/pdf", family)) as pdfs:
        for name, figure in figures.items():
            save_figure(figure, svgs / f"{name}.svg", pdfs / f"{name}.pdf")


def drawn(name: str, folder: Path, shown: Section | None = None) -> "Figure":
    """A figure from its tables in a folder, with the params of what is `shown` in it, if any."""
    from sbw.figures.style import styled
    from sbw.files import load_table

    module = import_module(f"sbw.figures.{name}")
    tables = [load_table(folder / f"{table}.parquet") for table in module.TABLES]
    with styled():
        figure: Figure = module.draw(*tables, **(shown.model_dump() if shown else {}))
    return figure


if __name__ == "__main__":
    run(main, __doc__, family="family of figures")
