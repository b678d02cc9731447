"""A language model of two blocks with random weights, its texts, and SAEs of it: seconds instead of minutes."""

from pathlib import Path
from typing import Any

import torch
from sae_lens import SAE, JumpReLUSAE, JumpReLUSAEConfig
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from sbw.llm.corpus import write_texts
from sbw.toy.generators import drawing_from, seeded

HOOK, CONTEXT, WIDTH = "blocks.0.hook_out", 16, 16
QUERIES, Z, HIDDEN = "blocks.0.attn.q.hook_out", "blocks.0.attn.o.hook_in", "blocks.0.mlp.out.hook_in"
WIDTHS = {QUERIES: 16, Z: 16, HIDDEN: 32}
"""Of further hooks: attention's queries and z, in two heads of 8, and the hidden layer of the MLP."""
HOSTILE = "</script><img src=x onerror=alert(1)>"
"""A token that would be a tag and end a script, were it put into a page as it is."""


def write_model(folder: Path) -> None:
    """A tiny Llama whose tokens are bytes, and a hostile one, as an ordinary folder."""
    tokenizer = _tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=256, initializer_range=0.5, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    with drawing_from(seeded(0)):
        LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def write_corpus(folder: Path) -> None:
    """Sixty texts, of which six are held out; some have the hostile token."""
    texts = [f"text {i}: {'abc' * (i % 7)} and {i * i}{HOSTILE if i % 4 == 0 else '.'}" for i in range(60)]
    write_texts(iter(texts[6:]), folder / "train")
    write_texts(iter(texts[:6]), folder / "held_out")


def random_sae(d_sae: int = 24, threshold: float = 0.5, hook: str = HOOK, normalised: Any = "none") -> SAE:
    """An untrained SAE of the tiny model, whose last latent never fires."""
    width = WIDTHS.get(hook, WIDTH)
    sae = JumpReLUSAE(JumpReLUSAEConfig(d_in=width, d_sae=d_sae, normalize_activations=normalised))
    generator = seeded(1)
    sae.W_dec.data = torch.randn(d_sae, width, generator=generator)
    sae.W_enc.data = sae.W_dec.data.T.contiguous() / width
    sae.threshold.data[:] = threshold
    sae.b_enc.data[-1] = -1e6
    metadata = sae.cfg.metadata
    metadata.model_name, metadata.hook_name, metadata.hook_head_index = "tiny", hook, None
    metadata.context_size, metadata.prepend_bos = CONTEXT, True
    return sae


def _tokenizer() -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens([HOSTILE, " Mary"])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")  # type: ignore[no-untyped-call]
