"""Write plots/vega.js, the scripts of the page of plots, so that `dvc plots` needs no network."""

from pathlib import Path

from sbw.params import Params
from sbw.run.outputs import whole
from sbw.run.stage import run

VEGA_LITE = "5.8"


def main(_: Params) -> None:
    import vl_convert

    bundle = vl_convert.javascript_bundle(None, vl_version=VEGA_LITE)  # type: ignore[arg-type] # None: the whole
    with whole(Path("plots/vega.js")) as script:
        script.write_text(bundle, encoding="utf-8")


if __name__ == "__main__":
    run(main, __doc__)
