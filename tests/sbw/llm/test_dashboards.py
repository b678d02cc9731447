"""Dashboards are drawn with no network, and a text that would be HTML stays a text."""

from pathlib import Path

import pytest
from sae_lens.analysis.neuronpedia_integration import get_neuronpedia_quick_list

from sbw.llm.activations import open_store
from sbw.llm.dashboards import dashboard, quick_list_url, whole_page
from sbw.llm.model import Model, load_model
from sbw.run.errors import UserError
from tests.browser import asked, needs_chromium
from tests.tiny import CONTEXT, HIDDEN, HOOK, HOSTILE, Z, random_sae

LATENTS = [0, 3, 7]
DRAWN = """
const bars = () => document.querySelectorAll(".plotly-hist .bars path").length;
const first = bars();
const select = document.querySelector("#select-0");
select.value = "7";
select.dispatchEvent(new Event("change"));
await settled();
return {first, second: bars(), latents: [...select.options].map(option => option.value),
        tokens: document.querySelectorAll(".seq .token").length, heading: document.querySelector("h1").textContent,
        images: document.querySelectorAll("img").length,
        hostile: [...document.querySelectorAll(".token")].filter(token => token.textContent.includes("<img")).length};
"""


@pytest.fixture(scope="module")
def page(model: Model, tiny: Path) -> str:
    store = open_store(model, tiny / "corpus/train", HOOK, CONTEXT, batch_size=32)
    return dashboard(random_sae(threshold=0.2), model, store.get_batch_tokens(), LATENTS, "latents of <tiny>")


@needs_chromium
def test_a_page_draws_every_latent_with_no_network(page: str, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(page, encoding="utf-8")
    answer, fetched = asked(path, DRAWN)
    assert fetched == []
    assert answer["first"] > 20
    assert answer["second"] > 20
    assert answer["latents"] == ["0", "3", "7"]
    assert answer["tokens"] > 50
    assert answer["heading"] == "latents of <tiny>"
    assert answer["hostile"] > 0, "the texts have the hostile token"
    assert answer["images"] == 0, "and it is shown, not run"


def test_it_loads_nothing_and_a_token_ends_no_script(page: str) -> None:
    assert "<script src" not in page
    assert HOSTILE not in page
    assert page.count("</script>") == 2


def test_the_same_texts_give_the_same_page(page: str, model: Model, tiny: Path) -> None:
    store = open_store(model, tiny / "corpus/train", HOOK, CONTEXT, batch_size=32)
    again = dashboard(random_sae(threshold=0.2), model, store.get_batch_tokens(), LATENTS, "latents of <tiny>")
    assert again == page


@pytest.mark.filterwarnings("ignore:HookedTransformer is deprecated:DeprecationWarning")
@pytest.mark.parametrize(("hook", "name"), [(Z, "attn.hook_z"), (HIDDEN, "mlp.hook_post")])
def test_other_hooks_are_drawn_by_transformer_lens_own_class_alone(
    hook: str, name: str, model: Model, tiny: Path
) -> None:
    contexts = open_store(model, tiny / "corpus/train", HOOK, CONTEXT, batch_size=32).get_batch_tokens()
    sae = random_sae(threshold=0.01, hook=hook)
    with pytest.raises(UserError, match=rf"sae-dashboard draws SAEs at one of: .*{name}.* of a block, got '{hook}'"):
        dashboard(sae, model, contexts, LATENTS, "title")
    sae.cfg.metadata.hook_name = f"blocks.0.{name}"
    hooked = load_model(tiny / "model", "HookedSAETransformer", "float32")
    assert "plotly" in dashboard(sae, hooked, contexts, LATENTS, "title")


def test_another_sae_dashboard_is_refused() -> None:
    with pytest.raises(ValueError, match=r"sae-dashboard's page is not as in 0.8.0"):
        whole_page("<p>something else</p>", "title", None)


def test_the_quick_list_is_saelens_own(monkeypatch: pytest.MonkeyPatch) -> None:
    sae = random_sae()
    assert quick_list_url(sae, LATENTS, "a list") is None
    sae.cfg.metadata.model_name, sae.cfg.metadata.neuronpedia_id = "gpt2-small", "gpt2-small/7-res-jb"
    monkeypatch.setattr("webbrowser.open", lambda url: None)
    assert quick_list_url(sae, LATENTS, "a & list") == get_neuronpedia_quick_list(sae, LATENTS, "a & list")
