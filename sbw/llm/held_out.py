"""How much of the held-out texts a sweep is measured on. Shapes: s special tokens."""

import torch
from jaxtyping import Int
from sae_lens import ActivationsStore
from torch import Tensor

from sbw.run.errors import UserError


def tokens_in(store: ActivationsStore, special: Int[Tensor, " s"], contexts: int) -> int:
    """How many tokens of the store's first contexts are not special.

    Raises:
        UserError: its texts hold fewer contexts.
    """
    tokens = 0
    for found in range(contexts):
        try:
            context = store.get_batch_tokens(1, raise_at_epoch_end=True, move_to_model_device=False)
        except StopIteration:
            allowed = f"at most {found}, all that the held-out texts have"
            raise UserError(f"`sweep.contexts` must be {allowed}, got {contexts}") from None
        tokens += int((~torch.isin(context, special)).sum())
    return tokens
