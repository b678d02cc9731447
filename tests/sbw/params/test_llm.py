"""The params of the language model refuse what cannot be, by their key."""

from pathlib import Path

import pytest

from sbw.params import Llm
from sbw.run.loading import load_document
from tests.conftest import LLM_PARAMS, ROOT
from tests.sbw.params.test_document import refused


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("architecture: batchtopk, k: 25}", "architecture: batchtopk, k: 4609}",
         "`train.saes.batchtopk_25.k` must satisfy 0 < k <= train.d_sae (4608), got 4609"),
        ("architecture: batchtopk, k: 25}", "architecture: topk, k: 25}",
         "`train.saes.batchtopk_25.architecture` must be one of: 'batchtopk', 'jumprelu', got 'topk'"),
        ("\nfocus: batchtopk_25 ", "\nfocus: batchtopk_20 ", "`focus` must be one of: batchtopk_25,"),
        ("latents: [0,", "latents: [4608,", "`dashboards.latents[0]` must satisfy 0 <= latent < d_sae (4608), got"),
        ("\ndevice: auto ", "\ndevice: gpu ", "`device`: must be 'auto', 'cpu', 'mps', 'cuda' or 'cuda:N', got 'gpu'"),
        ("\ndtype: auto ", "\ndtype: float16 ", "`dtype` must be 'auto', 'bfloat16' or 'float32', got 'float16'"),
        ("  tokens: 2000000", "  tokens: 100", "`train.batch_size` must be at most `harvest.tokens` (100)"),
        ("texts: {ks: [5,", "texts: {ks: [6,", "`sweep.texts.ks[0]` must be in `sweep.cells` (5, 8, 14,"),
        ("high: [400]", "high: [5000]", "`sweep.cells.high[0]` must satisfy 0 < k <= train.d_sae (4608), got 5000"),
        ("latents: [1, 16]", "latents: [1, 4609]", "`probing.latents[1]` must satisfy 1 <= latents <= train.d_sae"),
        ("high: [400]", "high: [0.001]", "`sweep.cells.high[0]` must be at least 1 / train.batch_size, got 0.001"),
        ("\n  seeds: [0, 1] ", "\n  seeds: [1, 1] ", "`sweep.seeds` must not repeat a value"),
        ("    batchtopk_100:", "    model:", "`train.saes` must not name an SAE model or ablated"),
        ("high: [400]", "high: [5]", "`sweep.cells` must not repeat a value"),
        ("  seed: 42 ", "  seed: 4294967296 ", "`probing.seed` must be less than 4294967296, got 4294967296"),
        ("23_headline_ischina", "22_headline_isobama", "`probing.datasets` must not repeat a value"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_its_key(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert message in refused(tmp_path, old, new, LLM_PARAMS, Llm)


def test_the_default_is_the_model_that_needs_no_hub() -> None:
    llm = load_document(Llm, ROOT / LLM_PARAMS)
    assert (llm.model, llm.model_class, llm.hook) == ("smollm2", "SAETransformerBridge", "blocks.9.hook_out")
