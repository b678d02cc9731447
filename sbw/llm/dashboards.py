"""Pages of sae-dashboard that show what latents fire on and which tokens they promote, without any network.

d3-selection.min.js is the part of d3 that they use, version 2.0.0 as in d3 6 (BSD licence beside it).
"""

import json
import re
import urllib.parse
import warnings
from collections.abc import Sequence
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jaxtyping import Int
from plotly.offline import get_plotlyjs
from sae_lens import SAE
from torch import Tensor

from sbw.llm.model import Model, special_tokens
from sbw.run.errors import UserError

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>body {{ font: 14px/1.4 system-ui, sans-serif; margin: 1rem; background: #fff; color: #222; }}</style>
<script>{scripts}</script>
</head>
<body>
<h1>{title}</h1>
{links}
{dashboard}
</body>
</html>
"""
# A token is put into the page as text, but into the tooltip of a token as HTML.
_UNESCAPED, _ESCAPED = "<code>${tok}</code>", "<code>${escaped(tok)}</code>"
_DRAWN = (
    "hook_out", "hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out", "attn.hook_out",
    "attn.hook_z", "mlp.hook_in", "mlp.hook_pre", "mlp.hook_post", "mlp.hook_out", "ln1.hook_normalized",
    "ln2.hook_normalized",
)  # fmt: skip
"""Hooks of a block for which sae-dashboard knows what a decoder row is in the residual stream, all by their names."""
_ESCAPE = """
const escaped = text => text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`);
"""


def dashboard(sae: SAE[Any], model: Model, contexts: Int[Tensor, "c t"], latents: Sequence[int], title: str) -> str:
    """A page with a dashboard for each of the latents, all of which must fire on the contexts.

    Args:
        sae: an SAE that nothing else uses: its decoder norms are folded in place.
        model: the model that it was trained on.
        contexts: tokens to run the model on.
        latents: which to show.
        title: heading of the page.

    Raises:
        UserError: sae-dashboard cannot draw SAEs at its hook.
    """
    hook = str(sae.cfg.metadata.hook_name)
    if re.sub(r"^blocks\.\d+\.", "", hook) not in _DRAWN:
        raise UserError(f"sae-dashboard draws SAEs at one of: {', '.join(_DRAWN)} of a block, got {hook!r}")
    from sae_dashboard.data_writing_fns import save_feature_centric_vis
    from sae_dashboard.sae_vis_data import SaeVisConfig
    from sae_dashboard.sae_vis_runner import SaeVisRunner

    config = SaeVisConfig(
        hook_point=hook,
        features=list(latents),
        minibatch_size_tokens=16,
        dtype="float32",
        ignore_tokens=set(special_tokens(model).tolist()),
    )
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using a non-tuple sequence")  # indexing of what sae-dashboard depends on
        data = SaeVisRunner(config).run(encoder=sae, model=model, tokens=contexts)
        file = Path(folder, "page.html")
        save_feature_centric_vis(data, file)
        return whole_page(file.read_text(), title, quick_list_url(sae, latents, title))


def whole_page(dashboard: str, title: str, url: str | None) -> str:
    """sae-dashboard's page with its scripts inside, and with the texts in it escaped.

    Raises:
        ValueError: sae-dashboard wrote something unexpected.
    """
    dashboard, fetched = re.subn(r'<script src="[^"]*"></script>\n?', "", dashboard)
    dashboard, shown = dashboard.replace(_UNESCAPED, _ESCAPED), dashboard.count(_UNESCAPED)
    # JSON inside a script: `<` stands in its strings alone, and a `</script>` among them would end the script.
    dashboard, data = re.subn(
        r"(?<=\n    return )(\{.*\})(?=;\n\}\n)", lambda found: found[1].replace("<", "\\u003c"), dashboard
    )
    if (fetched, shown, data) != (2, 3, 1):
        raise ValueError(f"sae-dashboard's page is not as in 0.8.0: found {(fetched, shown, data)}, expected (2, 3, 1)")
    scripts = [Path(__file__).with_name("d3-selection.min.js").read_text(), get_plotlyjs(), _ESCAPE]
    inside = "\n".join(scripts).replace("</script", "<\\/script")
    links = f'<p><a href="{escape(url)}">These latents on Neuronpedia</a></p>' if url else ""
    return PAGE.format(title=escape(title), scripts=inside, links=links, dashboard=dashboard)


def quick_list_url(sae: SAE[Any], latents: Sequence[int], name: str) -> str | None:
    """The URL of a list of latents on Neuronpedia, or None if the SAE has no id there.

    As SAELens's `get_neuronpedia_quick_list`, which also opens a browser.
    """
    metadata = sae.cfg.metadata
    if metadata.neuronpedia_id is None:
        return None
    layer = metadata.neuronpedia_id.split("/")[1]
    features = [{"modelId": metadata.model_name, "layer": layer, "index": str(latent)} for latent in latents]
    quoted = urllib.parse.quote(name), urllib.parse.quote(json.dumps(features))
    return "https://neuronpedia.org/quick-list/?name={}&features={}".format(*quoted)
