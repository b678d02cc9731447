"""Draw a figure from its tables, as plots/NAME.svg and plots/NAME.pdf."""

from importlib import import_module
from pathlib import Path

from sbw.params import Figures, Params
from stages.cli import one_of, run, whole


def main(params: Params, name: str, folder: str) -> None:
    one_of("figure", name, list(Figures.model_fields))

    from sbw.figures.style import save_figure, styled
    from sbw.tables import load_table

    figure = import_module(f"sbw.figures.{name}")
    tables = [load_table(Path(folder, f"{table}.parquet")) for table in figure.TABLES]
    with styled():
        drawn = figure.draw(*tables, getattr(params.figures, name))
    with whole(Path("plots", f"{name}.svg")) as svg, whole(Path("plots", f"{name}.pdf")) as pdf:
        save_figure(drawn, svg, "svg")
        save_figure(drawn, pdf, "pdf")


if __name__ == "__main__":
    run(main, __doc__, figure="name of the figure in `figures`", folder="folder of its tables")
