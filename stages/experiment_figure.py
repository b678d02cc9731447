"""Draw the figure of an experiment, as plots/experiments/NAME.svg and plots/pdf/experiments/NAME.pdf."""

from pathlib import Path

from sbw.params import Params
from sbw.run.outputs import whole
from sbw.run.stage import one_of, run


def main(params: Params, experiment: str) -> None:
    one_of("experiment", experiment, list(params.experiments))

    from sbw.figures import drawn
    from sbw.figures.style import save_figure

    figure = drawn(params.experiments[experiment].kind, Path("data/metrics/experiments", experiment))
    plots, pdfs = Path("plots/experiments"), Path("plots/pdf/experiments")
    with whole(plots / f"{experiment}.svg") as svg, whole(pdfs / f"{experiment}.pdf") as pdf:
        save_figure(figure, svg, pdf)


if __name__ == "__main__":
    run(main, __doc__, experiment="experiment of `experiments`")
