"""The inspection of SAEs in the model, against the model run with them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from sae_lens import ActivationsStore, StandardSAE, StandardSAEConfig
from transformers import PreTrainedModel

from sbw.llm.inspection import L0, Task, l0_histogram, own_loss, task_tokens, variants
from sbw.llm.model import Model, load_model, special_tokens
from sbw.run.errors import UserError
from tests.sbw.llm import by_hand
from tests.tiny import HOOK, QUERIES, WIDTH, WIDTHS, random_sae

TASK = Task("John gave the bag to", " Mary")


def perfect_sae(hook: str = HOOK) -> StandardSAE:
    """Reconstructs every activation: a latent for each direction and its opposite."""
    width = WIDTHS.get(hook, WIDTH)
    sae = StandardSAE(StandardSAEConfig(d_in=width, d_sae=2 * width))
    sae.W_dec.data = torch.cat([torch.eye(width), -torch.eye(width)])
    sae.W_enc.data = sae.W_dec.data.T.contiguous()
    sae.cfg.metadata.hook_name = hook
    return sae


@pytest.fixture
def contexts(store: ActivationsStore) -> Any:
    return store.get_batch_tokens(6)


def test_the_histogram_counts_every_token_but_the_first_and_the_special(model: Model, contexts: torch.Tensor) -> None:
    sae = random_sae()
    found = l0_histogram({"perfect": perfect_sae(), "a": sae}, model, contexts, batch_size=4)
    assert list(found.columns) == L0.names
    assert list(found["sae"].unique()) == ["perfect", "a"]
    with torch.no_grad():
        _, cache = model.run_with_cache(contexts, names_filter=[HOOK], prepend_bos=False)
        l0 = (sae.encode(cache[HOOK]) > 0).sum(dim=-1)
    wanted = ~torch.isin(contexts, special_tokens(model))
    expected = l0[:, 1:][wanted[:, 1:]].bincount()
    of_a = found[found["sae"] == "a"].set_index("l0")["tokens"]
    assert of_a.to_dict() == {i: count for i, count in enumerate(expected.tolist()) if count}
    assert set(found.loc[found["sae"] == "perfect", "l0"]) == {WIDTH}


@pytest.mark.parametrize("hook", WIDTHS)
def test_saes_at_any_hook_change_it_alone(
    hook: str, model: Model, alone: PreTrainedModel, contexts: torch.Tensor
) -> None:
    sae, special = random_sae(hook=hook), torch.isin(contexts, special_tokens(model))
    found = variants({"perfect": perfect_sae(hook), "poor": sae}, model, hook, contexts, 4, TASK)
    edits = [lambda x: x, lambda x: x, lambda x: torch.where(special[..., None], x, sae(x)), torch.zeros_like]
    expected = [by_hand.losses(alone, hook, contexts, edit).mean().item() for edit in edits]
    assert found["ce_loss"].tolist() == pytest.approx(expected, rel=1e-5)
    assert abs(expected[2] - expected[0]) > 1e-3
    histogram = l0_histogram({"a": sae}, model, contexts, 4).set_index("l0")["tokens"]
    l0 = (sae.encode(by_hand.activations(alone, hook, contexts)) > 0).sum(dim=-1)[:, 1:][~special[:, 1:]]
    assert histogram.to_dict() == {i: count for i, count in enumerate(l0.bincount().tolist()) if count}


@pytest.mark.filterwarnings("ignore:HookedTransformer is deprecated:DeprecationWarning")
def test_transformer_lens_own_class_gets_its_heads_back(model: Model, contexts: torch.Tensor, tiny: Path) -> None:
    hooked, name = load_model(tiny / "model", "HookedSAETransformer", "float32"), "blocks.0.attn.hook_q"
    sae, theirs = random_sae(hook=QUERIES), random_sae(hook=QUERIES)
    theirs.cfg.metadata.hook_name = name
    found = variants({"poor": theirs}, hooked, name, contexts, 4, TASK)["ce_loss"]
    expected = variants({"poor": sae}, model, QUERIES, contexts, 4, TASK)["ce_loss"]
    assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-4)


def test_a_normalisation_that_is_not_folded_in_is_refused(model: Model, contexts: torch.Tensor) -> None:
    saes = {"mine": random_sae(normalised="expected_average_only_in")}
    reason = "`normalize_activations` of mine must be one of: none, constant_norm_rescale, layer_norm, got 'expected"
    with pytest.raises(UserError, match=reason):
        l0_histogram(saes, model, contexts, 4)
    with pytest.raises(UserError, match=reason):
        variants(saes, model, HOOK, contexts, 4, TASK)


def test_a_perfect_sae_changes_nothing_and_zeros_do(
    model: Model, contexts: torch.Tensor, alone: PreTrainedModel
) -> None:
    found = variants({"perfect": perfect_sae(), "poor": random_sae()}, model, HOOK, contexts, 4, TASK)
    original, perfect, poor, ablated = (found.iloc[i] for i in range(4))
    assert list(found["variant"]) == ["model", "sae", "sae", "ablated"]
    assert perfect["ce_loss"] == pytest.approx(original["ce_loss"], rel=1e-5)
    assert perfect["answer_probability"] == pytest.approx(original["answer_probability"], rel=1e-4)
    assert perfect["answer_rank"] == original["answer_rank"]
    assert abs(poor["ce_loss"] - original["ce_loss"]) > 1e-3
    assert own_loss(alone, contexts, 4) == pytest.approx(original["ce_loss"], rel=1e-5)
    vocabulary = alone.config.vocab_size
    assert ablated["answer_probability"] == pytest.approx(1 / vocabulary, rel=1e-5)
    assert ablated["answer_rank"] == vocabulary, "all are as likely, and ties count against the answer"


def test_the_answer_must_be_one_token(model: Model) -> None:
    prompt, answer = task_tokens(model, TASK)
    assert prompt[0, 0] == model.tokenizer.bos_token_id
    assert model.tokenizer.decode([answer]) == " Mary"
    with pytest.raises(UserError, match=r"`inspect.answer` must be one token of the model, got 2: 'M', 'e'"):
        task_tokens(model, Task("I gave it to", "Me"))


def test_what_was_looked_at_can_still_be_trained(model: Model, contexts: torch.Tensor) -> None:
    sae = random_sae()
    l0_histogram({"a": sae}, model, contexts, 4)
    variants({"a": sae}, model, HOOK, contexts, 4, TASK)
    assert not any(tensor.is_inference() for tensor in [*sae.parameters(), *model.parameters()])
    sae(torch.randn(3, WIDTH)).sum().backward()
    assert sae.W_dec.grad is not None
