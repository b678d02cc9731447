"""Report the findings claim by claim, as plots/report.md and, with the figures inside, as plots/report.html."""

from pathlib import Path

from sbw.files import read_json
from sbw.params import Params
from sbw.params.training import Mixing
from sbw.run.outputs import whole
from sbw.run.stage import run

PLOTS, METRICS = Path("plots"), Path("data/metrics")


def main(params: Params) -> None:
    from sbw.files import load_table
    from sbw.report.claims import all_claims
    from sbw.report.document import TITLE, document
    from sbw.report.page import page
    from sbw.report.results import Results

    mixing = {name for name, section in params.experiments.items() if isinstance(section, Mixing)}
    folders = {name: METRICS / "experiments" / name for name in params.experiments} | {"sweep": METRICS / "sweep"}
    results = Results(
        params,
        read_json(Path("data/toy", params.sweep.toy, "stats.json")),
        load_table(Path("data/pretrained/l0.parquet")),
        load_table(folders["sweep"] / "projections.parquet"),
        load_table(folders["sweep"] / "cosines.parquet"),
        {name: load_table(folder / "saes.parquet") for name, folder in folders.items() if name not in mixing},
        {name: load_table(folders[name] / "mixing.parquet") for name in mixing},
        read_json(METRICS / "recommendation.json"),
        load_table(METRICS / "automatic_l0/path.parquet"),
    )
    markdown = document(results)
    html = page(markdown, TITLE, lambda link: (PLOTS / link).read_text(encoding="utf-8"))
    with whole(PLOTS / "report.md") as as_text, whole(PLOTS / "report.html") as as_page:
        as_text.write_text(markdown, encoding="utf-8")
        as_page.write_text(html, encoding="utf-8")
    holds = [claim.holds for claims in all_claims(results).values() for claim in claims]
    print(f"{len(holds)} claims: {holds.count(True)} hold, {holds.count(False)} do not, "
          f"{holds.count(None)} are not tested here")  # fmt: skip


if __name__ == "__main__":
    run(main, __doc__)
