"""Tell what was found, claim by claim, as plots/report.md and, with its figures inside, as plots/report.html."""

from pathlib import Path

from sbw.files import read_json
from sbw.params import Params
from sbw.params.figures import FAMILIES
from sbw.params.training import Mixing
from sbw.run.outputs import whole
from sbw.run.stage import run

PLOTS, METRICS, EXPERIMENTS = Path("plots"), Path("data/metrics"), Path("experiments")


def main(params: Params) -> None:
    from sbw.files import load_table
    from sbw.report.experiment_story import sizes
    from sbw.report.markdown import TITLE, document
    from sbw.report.page import render
    from sbw.report.results import Results
    from sbw.report.story import tell

    mixing = {name for name, section in params.experiments.items() if isinstance(section, Mixing)}
    folders = {name: METRICS / EXPERIMENTS / name for name in params.experiments} | {"sweep": METRICS / "sweep"}
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
    sections = tell(results)
    pictures = [picture.name for section in sections if section.shown for picture in section.pictures]
    folders_of = {name: family for family, names in FAMILIES.items() for name in names}
    links = {name: f"{folders_of.get(name, EXPERIMENTS)}/{name}.svg" for name in pictures}
    markdown = document(sections, sizes(results), links)
    page = render(markdown, TITLE, {link: (PLOTS / link).read_text(encoding="utf-8") for link in links.values()})
    with whole(PLOTS / "report.md") as text, whole(PLOTS / "report.html") as html:
        text.write_text(markdown, encoding="utf-8")
        html.write_text(page, encoding="utf-8")
    claims = [claim.holds for section in sections for claim in section.claims]
    print(f"{len(claims)} claims: {claims.count(True)} hold, {claims.count(False)} do not, "
          f"{claims.count(None)} are not tested here")  # fmt: skip


if __name__ == "__main__":
    run(main, __doc__)
