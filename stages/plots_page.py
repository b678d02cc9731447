"""Write plots/page.html, the frame of the page that `dvc plots` writes: every script is inside, no network needed."""

from pathlib import Path

from sbw.params import Params
from sbw.run.outputs import whole
from sbw.run.stage import run

VEGA_LITE = "5.8"
FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>sbw: plots</title>
<style>
body {{ font: 14px/1.4 system-ui, sans-serif; margin: 1.5rem; background: #fff; color: #222; }}
body > div {{ display: block !important; width: fit-content; max-width: 100%; margin: 0 0 2rem; overflow-x: auto;
  border: 0 !important; }}
img {{ max-width: 100%; }}
table {{ border-collapse: collapse; }}
.vega-bindings {{ margin: .5rem 0; }}
.vega-bind {{ display: inline-block; margin-right: 1.5rem; }}
</style>
<script>
{script}
</script>
</head>
<body>
{{plot_divs}}
</body>
</html>
"""


def main(_: Params) -> None:
    import vl_convert

    bundle = vl_convert.javascript_bundle(None, vl_version=VEGA_LITE)  # type: ignore[arg-type] # None: the whole
    script = bundle.replace("</script", "<\\/script")
    with whole(Path("plots/page.html")) as page:
        page.write_text(FRAME.format(script=script), encoding="utf-8")


if __name__ == "__main__":
    run(main, __doc__)
