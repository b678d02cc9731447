"""Draw a figure from the tables in a folder, as plots/NAME.svg and plots/NAME.pdf."""

from importlib import import_module
from pathlib import Path

from sbw.params import Figures, Params
from sbw.run.outputs import whole
from sbw.run.stage import one_of, run


def main(params: Params, figure: str, folder: str, name: str) -> None:
    one_of("figure", figure, list(Figures.model_fields))

    from sbw.figures.style import save_figure, styled
    from sbw.files import load_table

    module = import_module(f"sbw.figures.{figure}")
    tables = [load_table(Path(folder, f"{table}.parquet")) for table in module.TABLES]
    with styled():
        drawn = module.draw(*tables, getattr(params.figures, figure))
    with whole(Path("plots", f"{name}.svg")) as svg, whole(Path("plots", f"{name}.pdf")) as pdf:
        save_figure(drawn, svg, "svg")
        save_figure(drawn, pdf, "pdf")


if __name__ == "__main__":
    run(main, __doc__, figure="figure of `figures`", folder="folder of its tables", name="what to call the files")
