"""Harvests activations of the language model, by SAELens's store, into shards that `sbw.llm.shards` reads.

Shapes: c contexts, t tokens per context, s special tokens, d width of the activations.
"""

import math
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

import numpy as np
import torch
from datasets import IterableDataset
from jaxtyping import Int
from numpy.typing import NDArray
from sae_lens import ActivationsStore
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from sbw.llm.model import Model, special_tokens, width_at
from sbw.llm.texts_on_disk import texts_in
from sbw.run.errors import UserError, not_found
from sbw.run.outputs import whole
from sbw.run.processes import map_processes, processes_on

SHARD = 1024
"""Contexts per shard."""


class Shard(NamedTuple):
    """A part of the contexts, whose activations are one file."""

    number: int
    contexts: slice
    tokens: int
    """How many of them are kept: the first that are not special."""


class Contexts(NamedTuple):
    """Contexts on disk, and how they are dealt out to shards."""

    tokens: NDArray[np.int32]
    """[c t], mapped from a file without a name."""
    shards: list[Shard]

    @property
    def kept(self) -> int:
        """How many tokens are kept in all."""
        return sum(shard.tokens for shard in self.shards)


def load_texts(folder: Path) -> IterableDataset:
    """The texts in a folder of Parquet files, read as they are needed.

    Raises:
        FileNotFoundError: the folder has none.
    """
    if not any(folder.glob("*.parquet")):
        raise not_found(folder / "*.parquet")
    return texts_in(folder)


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
            d_in=width_at(model, hook),
            n_batches_in_buffer=1,
            total_training_tokens=0,
            store_batch_size_prompts=batch_size,
            train_batch_size_tokens=batch_size,
            prepend_bos=True,
            normalize_activations="none",
            device=torch.device("cpu"),
            dtype="float32",
        )


def require_room(tokens: int, width: int, dtype: torch.dtype, gigabytes: float, folder: Path) -> None:
    """Refuse a harvest into a folder that is larger than its budget, or than what is free on the disk and its shards.

    Raises:
        UserError: it is; the message gives its size, tokens · width · bytes per number.
    """
    size, per_token = tokens * width * dtype.itemsize, f"{width * dtype.itemsize:,} bytes for each of {tokens:,} tokens"
    if size > gigabytes * 1e9:
        least = math.ceil(size / 1e7) / 100
        raise UserError(f"`harvest.disk` must be at least {least:g} GB, {per_token}, got {gigabytes:g}")
    free = shutil.disk_usage(folder).free + sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    if size > free:
        raise UserError(f"the disk has room for {free / 1e9:.3g} GB; the harvest takes {size / 1e9:.3g}, {per_token}")


def first_contexts(store: ActivationsStore, count: int, key: str) -> Int[Tensor, "c t"]:
    """The store's first contexts, on the model's device.

    Raises:
        UserError: its texts hold fewer; the message names the `key` of the params that asks for so many.
    """
    found = list(islice(_contexts(store), count))
    if len(found) < count:
        raise UserError(f"`{key}` asks for {count} contexts, the held-out texts have {len(found)}")
    return torch.stack(found).to(store.model.cfg.device)


def tokenise(
    store: ActivationsStore, place: Path, *, tokens: int | None = None, contexts: int | None = None
) -> Contexts:
    """The store's first contexts: as few as hold `tokens` that are not special, or `contexts`; or all, if that is less.

    They lie in a file of 4 bytes per token in the folder `place`, so that memory does not grow with their number; the
    file has no name, and ends with the process.
    """
    found, shards, size = _first(store, tokens, contexts), list[Shard](), 0
    with TemporaryFile(dir=place) as file:
        while some := list(islice(found, SHARD)):
            file.writelines(context.numpy().astype(np.int32).tobytes() for context, _ in some)
            shards.append(Shard(len(shards), slice(size, size + len(some)), sum(kept for _, kept in some)))
            size += len(some)
        file.flush()
        shape = (size, store.context_size)
        mapped = np.memmap(file, np.int32, "r", shape=shape) if size else np.empty(shape, np.int32)
    return Contexts(mapped, shards)


def harvest(model: Model, store: ActivationsStore, contexts: Contexts, batch_size: int, folder: Path) -> None:
    """Write the activations at the store's hook of the contexts' kept tokens, in the model's own dtype.

    Shards that are in the folder already stay as they are. On the CPU one process per processor writes the others, each
    with one thread, so that the bytes do not depend on how many.
    """
    missing = [shard for shard in contexts.shards if not _place(folder, shard).exists()]
    if len(missing) < len(contexts.shards):
        print(f"harvest: {len(contexts.shards) - len(missing)} of {len(contexts.shards)} shards are there already")
    write = partial(_write_shard, model=model, store=store, contexts=contexts, batch_size=batch_size, folder=folder)
    map_processes(write, missing, processes_on(model.cfg.device), label="harvest", unit="shard")


def _first(store: ActivationsStore, tokens: int | None, contexts: int | None) -> Iterator[tuple[Tensor, int]]:
    """Contexts [t], each with how many of its tokens are kept."""
    special, left = special_tokens(store.model).cpu(), math.inf if tokens is None else tokens
    unit = " tokens" if tokens else " contexts"
    with tqdm(total=tokens or contexts, desc="tokenise", unit=unit, disable=None) as bar:
        for context in islice(_contexts(store), contexts):
            kept = int(min(left, (~torch.isin(context, special)).sum()))
            left -= kept
            bar.update(kept if tokens else 1)
            yield context, kept
            if not left:
                return


def _contexts(store: ActivationsStore) -> Iterator[Int[Tensor, " t"]]:
    while True:
        try:
            yield store.get_batch_tokens(1, raise_at_epoch_end=True, move_to_model_device=False)[0]
        except StopIteration:
            return


@torch.no_grad()
def _write_shard(
    shard: Shard, model: Model, store: ActivationsStore, contexts: Contexts, batch_size: int, folder: Path
) -> None:
    special, done = special_tokens(model).cpu(), 0
    kept = torch.empty(shard.tokens, store.d_in, dtype=model.cfg.dtype)
    for batch in torch.split(torch.tensor(contexts.tokens[shard.contexts], dtype=torch.long), batch_size):
        ordinary = ~torch.isin(batch, special)
        found = store.get_activations(batch.to(model.cfg.device))[ordinary][: shard.tokens - done]
        kept[done : done + len(found)] = found
        done += len(found)
    with whole(_place(folder, shard)) as path:
        save_file({"activations": kept}, path)


def _place(folder: Path, shard: Shard) -> Path:
    return folder / f"activations-{shard.number:05d}.safetensors"
