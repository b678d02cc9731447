"""The page of texts shows what latents fire on, and nothing that a text could make of it."""

from pathlib import Path

import pytest
import torch
from sae_lens import SAE, ActivationsStore
from torch import Tensor
from transformers import PreTrainedModel

from sbw.llm.model import Model
from sbw.llm.texts import Column, ReadTexts, counterparts, read_texts, texts_page, top_examples, top_latents
from tests.browser import asked, needs_chromium
from tests.sbw.llm import by_hand
from tests.tiny import HOOK, HOSTILE, WIDTH, Z, random_sae


@pytest.fixture
def texts(model: Model, store: ActivationsStore) -> ReadTexts:
    return read_texts(model, HOOK, store.get_batch_tokens(24), 5)


def firing_on(share: float, texts: ReadTexts) -> SAE:
    """An SAE each of whose latents fires on so great a share of the tokens."""
    sae = random_sae()
    sae.b_enc.data[:] = 0
    acts = (texts.activations[texts.wanted] - sae.b_dec) @ sae.W_enc
    sae.threshold.data = acts.quantile(1 - share, dim=0).detach()
    return sae


def made(texts: ReadTexts, model: Model) -> str:
    columns = [Column(f"L0 {name}", firing_on(s, texts)) for name, s in (("2", 0.02), ("5: <b>", 0.05), ("9", 0.3))]
    return texts_page(columns, texts, model.tokenizer, "What <latents> fire on", latents=4, examples=3, margin=5)


def test_activations_are_those_of_the_model(texts: ReadTexts, model: Model, store: ActivationsStore) -> None:
    torch.testing.assert_close(texts.activations, store.get_activations(texts.contexts)[..., :].view(24, -1, WIDTH))
    assert not texts.wanted[:, 0].any()
    assert texts.wanted[:, 1].any()


def test_heads_are_joined(model: Model, store: ActivationsStore, alone: PreTrainedModel) -> None:
    contexts = store.get_batch_tokens(6)
    found = read_texts(model, Z, contexts, 4).activations
    torch.testing.assert_close(found, by_hand.activations(alone, Z, contexts))


def test_everything_from_outside_is_escaped(texts: ReadTexts, model: Model) -> None:
    html = made(texts, model)
    assert "<b>" not in html
    assert HOSTILE not in html
    assert "What &lt;latents&gt; fire on" in html


@needs_chromium
def test_a_browser_shows_it_and_fetches_nothing(texts: ReadTexts, model: Model, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(made(texts, model), encoding="utf-8")
    answer, fetched = asked(
        tmp_path / "page.html",
        """return {rows: document.querySelectorAll("tbody tr").length, images: document.images.length,
                   cells: document.querySelectorAll("tbody td").length,
                   marked: document.querySelectorAll("span").length,
                   text: document.body.textContent}""",
    )
    assert (answer["rows"], answer["cells"], answer["images"]) == (4, 12, 0)
    assert answer["marked"] > 12
    assert HOSTILE in answer["text"]
    assert [name for name in fetched if not name.startswith("file:")] == []


def sae_with(W_enc: Tensor, W_dec: Tensor) -> SAE:
    sae = random_sae(d_sae=len(W_dec), threshold=0.0)
    sae.W_enc.data, sae.W_dec.data, sae.b_enc.data = W_enc, W_dec, torch.zeros(len(W_dec))
    return sae


def test_top_latents_carry_most_and_are_neither_dense_nor_dead() -> None:
    x = torch.zeros(100, WIDTH)
    x[:, 0], x[:5, 1], x[:5, 2], x[5:7, 3] = 9, 1, 1, 4
    decoder = torch.eye(WIDTH)[:5]
    decoder[2] *= 2
    sae = sae_with(torch.eye(WIDTH)[:, :5].contiguous(), decoder)
    assert top_latents(sae, x, 9).tolist() == [3, 2, 1]  # 2 · 4² , 5 · (1 · 2)², 5 · 1²; 0 is dense, 4 is dead
    assert top_latents(sae, x, 1).tolist() == [3]


def test_counterparts_point_the_same_way() -> None:
    rows = torch.eye(4)[:2]
    best, cosines = counterparts(rows, torch.tensor([[0.0, 2, 0, 0], [0, 0, 1, 0], [-5.0, 0, 0, 0], [3, 0, 0, 4]]))
    assert best.tolist() == [3, 0]
    assert cosines.tolist() == pytest.approx([0.6, 1])


def test_examples_are_the_strongest_contexts_cut_around_the_peak(model: Model) -> None:
    tokens = torch.tensor(model.tokenizer("abcdefgh", add_special_tokens=False)["input_ids"]).expand(3, -1)
    acts = torch.zeros(3, 8)
    acts[0, 4], acts[2, 6], acts[2, 5] = 1, 4, 2
    strongest, second = top_examples(acts, tokens, model.tokenizer, 3, 1)
    assert ("".join(strongest.tokens), strongest.strengths) == ("fgh", [0.5, 1, 0])
    assert ("".join(second.tokens), second.strengths) == ("def", [0, 1, 0])
