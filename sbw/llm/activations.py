"""Activations of the language model, harvested once by SAELens's store and kept as shards of safetensors.

Shapes: n tokens, c contexts, t tokens per context, s special tokens, b batch, d width of the activations.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

import torch
from datasets import IterableDataset, load_dataset
from jaxtyping import Float, Int
from sae_lens import ActivationsStore
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from sbw.llm.model import Model, special_tokens
from sbw.run.errors import UserError, not_found, reading
from sbw.run.processes import map_processes, processes_on
from sbw.toy.generators import seeded

SHARD = 1024
"""Contexts per shard."""


def load_texts(folder: Path) -> IterableDataset:
    """The texts in a folder of Parquet files, read as they are needed.

    Raises:
        FileNotFoundError: the folder has none.
    """
    if not any(folder.glob("*.parquet")):
        raise not_found(folder / "*.parquet")
    return load_dataset("parquet", data_files=str(folder / "*.parquet"), split="train", streaming=True)


@contextmanager
def untokenised() -> Iterator[None]:
    """For opening a store, which warns that texts are not tokenised: that costs a hundredth of the forward pass."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Dataset is not tokenized")
        yield


def open_store(model: Model, texts: Path, hook: str, context_size: int, batch_size: int) -> ActivationsStore:
    """SAELens's store over a folder of texts, joined into contexts that each begin with the model's token for that."""
    with untokenised():
        return ActivationsStore(
            model=model,
            dataset=load_texts(texts),
            streaming=True,
            hook_name=hook,
            hook_head_index=None,
            context_size=context_size,
            d_in=model.cfg.d_model,
            n_batches_in_buffer=1,
            total_training_tokens=0,
            store_batch_size_prompts=batch_size,
            train_batch_size_tokens=batch_size,
            prepend_bos=True,
            normalize_activations="none",
            device=torch.device("cpu"),
            dtype="float32",
        )


def contexts_with(store: ActivationsStore, special: Int[Tensor, " s"], tokens: int) -> Int[Tensor, "c t"]:
    """The store's first contexts, as few as hold so many tokens that are not special.

    Raises:
        UserError: all its texts together hold fewer.
    """
    contexts, found = [], 0
    for context in _contexts(store):
        contexts.append(context)
        found += _ordinary(context, special)
        if found >= tokens:
            return torch.cat(contexts)
    raise UserError(f"`harvest.tokens` must be at most {found}, all that the texts have")


def tokens_in(store: ActivationsStore, special: Int[Tensor, " s"], contexts: int) -> int:
    """How many tokens of the store's first contexts are not special.

    Raises:
        UserError: its texts hold fewer contexts.
    """
    tokens = [_ordinary(context, special) for context in islice(_contexts(store), contexts)]
    if len(tokens) < contexts:
        allowed = f"at most {len(tokens)}, all that the held-out texts have"
        raise UserError(f"`sweep.contexts` must be {allowed}, got {contexts}")
    return sum(tokens)


def tokens_up_to(store: ActivationsStore, special: Int[Tensor, " s"], most: int) -> int:
    """How many tokens of the store's texts are not special, counted to `most`."""
    found = 0
    for context in _contexts(store):
        found += _ordinary(context, special)
        if found >= most:
            return most
    return found


def harvest(model: Model, store: ActivationsStore, tokens: int, batch_size: int, folder: Path) -> None:
    """Write the activations at the store's hook of so many tokens that are not special, in the model's own dtype.

    On the CPU one process per processor writes them, each with one thread, so that the bytes do not depend on how many.
    """
    special = special_tokens(model).cpu()
    contexts = contexts_with(store, special, tokens)
    wanted = ~torch.isin(contexts, special)
    wanted &= wanted.flatten().cumsum(0).view_as(wanted) <= tokens
    shards = list(enumerate(zip(torch.split(contexts, SHARD), torch.split(wanted, SHARD), strict=True)))
    write = partial(_write_shard, store=store, batch_size=batch_size, folder=folder, dtype=model.cfg.dtype)
    map_processes(write, shards, processes_on(model.cfg.device), label="harvest", unit="shard")


def load_activations(folder: Path) -> Float[Tensor, "n d"]:
    """The activations that `harvest` wrote, read one shard at a time into one tensor.

    Raises:
        FileNotFoundError, UserError: the folder has none, or a file of it is not readable.
    """
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise not_found(folder / "*.safetensors")
    with reading(folder, "folder of activations"):
        lengths = [_length(path) for path in paths]
        first = load_file(paths[0])["activations"]
        activations = first.new_empty(sum(lengths), first.shape[1])
        for part, path in zip(activations.split(lengths), paths, strict=True):
            part.copy_(load_file(path)["activations"])
    return activations


def shuffled(
    activations: Float[Tensor, "n d"], batch_size: int, scale: float, seed: int
) -> Iterator[Float[Tensor, "b d"]]:
    """Every activation once, times `scale`, in full batches and in an order drawn from `seed`."""
    order = torch.randperm(len(activations), generator=seeded(seed))
    for rows in torch.split(order[: len(order) // batch_size * batch_size], batch_size):
        yield activations[rows].float() * scale


def _contexts(store: ActivationsStore) -> Iterator[Int[Tensor, "1 t"]]:
    while True:
        try:
            yield store.get_batch_tokens(1, raise_at_epoch_end=True, move_to_model_device=False)
        except StopIteration:
            return


def _ordinary(context: Int[Tensor, "1 t"], special: Int[Tensor, " s"]) -> int:
    return int((~torch.isin(context, special)).sum())


@torch.no_grad()
def _write_shard(
    shard: tuple[int, tuple[Tensor, Tensor]], store: ActivationsStore, batch_size: int, folder: Path, dtype: torch.dtype
) -> None:
    index, (contexts, wanted) = shard
    kept = [
        store.get_activations(batch.to(store.model.cfg.device))[mask].to(dtype)
        for batch, mask in zip(torch.split(contexts, batch_size), torch.split(wanted, batch_size), strict=True)
    ]
    save_file({"activations": torch.cat(kept)}, folder / f"activations-{index:05d}.safetensors")


def _length(path: Path) -> int:
    with safe_open(path, "pt") as shard:
        return int(shard.get_slice("activations").get_shape()[0])
