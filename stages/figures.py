"""Draw the figures of a family, as plots/FAMILY/NAME.svg and plots/pdf/FAMILY/NAME.pdf."""

from pathlib import Path

from sbw.params import Params
from sbw.params.figures import FAMILIES
from sbw.run.outputs import whole_folder
from sbw.run.stage import one_of, run


def main(params: Params, family: str) -> None:
    one_of("family", family, list(FAMILIES))

    from sbw.figures import drawn
    from sbw.figures.style import save_figure

    tables = {"pretrained": Path("data/pretrained"), "toy": Path("data/toy", params.train.toy)}
    folder = tables.get(family, Path("data/metrics", family))
    shown = params.figures.model_dump().get(family, {})
    figures = {name: drawn(name, folder, **shown.get(name, {})) for name in FAMILIES[family]}
    with whole_folder(Path("plots", family)) as svgs, whole_folder(Path("plots/pdf", family)) as pdfs:
        for name, figure in figures.items():
            save_figure(figure, svgs / f"{name}.svg", pdfs / f"{name}.pdf")


if __name__ == "__main__":
    run(main, __doc__, family="family of figures")
