"""Draw the figures of the SAEs on the language model, as plots/llm/NAME.svg and .pdf."""

from pathlib import Path

from sbw.params import Llm
from sbw.run.outputs import whole_folder
from sbw.run.stage import run

DATA = Path("data/llm")


def main(llm: Llm) -> None:
    from sbw.figures.llm import comparison, consistency, cosine, density, l0, scatter
    from sbw.figures.style import save_figure, styled
    from sbw.files import load_table

    features, evals = load_table(DATA / "features.parquet"), load_table(DATA / "evals.parquet")
    with styled(), whole_folder(Path("plots/llm")) as folder:
        figures = {
            "l0": l0.draw(load_table(DATA / "inspection/l0.parquet")),
            "density": density.draw(features),
            "consistency": consistency.draw(features, llm.focus),
            "scatter": scatter.draw(features, llm.focus),
            "cosine": cosine.draw(features),
            "comparison": comparison.draw(evals),
        }
        for name, figure in figures.items():
            save_figure(figure, folder / f"{name}.svg", folder / f"{name}.pdf")


if __name__ == "__main__":
    run(main, __doc__, Llm)
