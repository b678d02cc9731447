"""Draw the figures of the sweep on the language model, as plots/llm_sweep/NAME.svg and .pdf."""

from pathlib import Path

from sbw.files import read_json
from sbw.params import Llm
from sbw.run.outputs import whole_folder
from sbw.run.stage import run

DATA = Path("data/llm")


def main(llm: Llm) -> None:
    from sbw.figures.llm import sweep_metrics, sweep_panels, sweep_probing
    from sbw.figures.style import save_figure, styled
    from sbw.files import load_table
    from sbw.llm.sweep import load_measured, recommended

    ks, names = llm.sweep.figures.ks, ("saes", "histograms", "latents")
    saes, histograms, latents = load_measured(DATA / "sweep/measured", llm.sweep.cells, *names)
    curves = load_table(DATA / "sweep/recommendation/curves.parquet")
    verdict = recommended(read_json(Path("data/metrics/llm/recommendation.json")))
    with styled(), whole_folder(Path("plots/llm_sweep")) as folder:
        figures = {
            "metrics": sweep_metrics.draw(saes, curves, verdict),
            "probing": sweep_probing.draw(load_table(DATA / "probing/scores.parquet"), verdict),
            "projections": sweep_panels.projections(histograms, saes, verdict, ks),
            "densities": sweep_panels.densities(latents, saes, verdict, ks),
            "coherences": sweep_panels.coherences(latents, saes, verdict, ks),
        }
        for name, figure in figures.items():
            save_figure(figure, folder / f"{name}.svg", folder / f"{name}.pdf")


if __name__ == "__main__":
    run(main, __doc__, Llm)
