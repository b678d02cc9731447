"""The section `llm` refuses what cannot be, by its key."""

from pathlib import Path

import pytest

from sbw.params import load_params
from tests.conftest import ROOT
from tests.sbw.params.test_document import refused


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("architecture: batchtopk, k: 25}", "architecture: batchtopk, k: 2305}",
         "`llm.train.saes.batchtopk_25.k` must satisfy 0 < k <= d_sae (2304), got 2305"),
        ("architecture: batchtopk, k: 25}", "architecture: topk, k: 25}",
         "`llm.train.saes.batchtopk_25.architecture` must be one of: 'batchtopk', 'jumprelu', got 'topk'"),
        ("  focus: batchtopk_25 ", "  focus: batchtopk_20 ", "`llm.focus` must be one of: batchtopk_25,"),
        ("latents: [0,", "latents: [2304,", "`llm.dashboards.latents[0]` must satisfy 0 <= latent < d_sae (2304), got"),
        ("  dtype: auto ", "  dtype: float16 ", "`llm.dtype` must be 'auto', 'bfloat16' or 'float32', got 'float16'"),
        ("held_out: 0.1", "held_out: 1.0", "`llm.corpus.held_out` must be less than 1, got 1.0"),
        ("    tokens: 1000000", "    tokens: 100", "`llm.train.batch_size` must be at most `llm.harvest.tokens` (100)"),
        ("texts: {ks: [5,", "texts: {ks: [6,", "`llm.sweep.texts.ks[0]` must be one of `llm.sweep.ks` (5, 8, 14,"),
        ("130, 230, 400]", "130, 230, 2305]", "`llm.sweep.ks[8]` must satisfy 0 < k <= train.d_sae (2304), got 2305"),
        ("latents: [1, 16]", "latents: [1, 2305]", "`llm.probing.latents[1]` must satisfy 1 <= latents <= train.d_sae"),
        ("[5, 8, 14, 25,", "[5, 5.0000001, 14, 25,", "`llm.sweep.ks` must all be different"),
        ("texts: {ks: [5, 130,", "texts: {ks: [5, 5,", "`llm.sweep.texts.ks` must all be different"),
        ("latents: [1, 16]", "latents: [16, 16]", "`llm.probing.latents` must all be different"),
        ("23_headline_ischina", "22_headline_isobama", "`llm.probing.datasets` must all be different"),
        ("  model: smollm2 ", "  models: smollm2 ", "`llm.model` is missing"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_its_key(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert message in refused(tmp_path, old, new)


def test_the_default_is_the_model_that_needs_no_hub() -> None:
    llm = load_params(ROOT / "params.yaml").llm
    assert (llm.model, llm.model_class, llm.hook) == ("smollm2", "SAETransformerBridge", "blocks.9.hook_out")
