"""k-sparse probing: how well a few latents, or the activations, predict the labels of sae-probes' datasets.

Texts, labels, splits, the choice of latents and the probes are those of sae-probes 0.4.2; its files, which are pickles,
are not. Shapes: n texts, d width of the activations, h latents.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from sae_lens import SAE
from safetensors.torch import load_file, save_file
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits
from torch import Tensor

from sbw.files import column
from sbw.llm.model import Model, activations_at, width_at
from sbw.run.errors import UserError, reading
from sbw.run.processes import map_processes, processes_on

MEASURES = {
    "f1": "F1 on the test set, weighted by the classes' sizes",
    "accuracy": "accuracy on the test set",
    "auc": "area under the ROC curve on the test set",
    "validation_auc": "the same on the part of the training set that the regularisation is chosen on",
}
_OF_DATASET = [
    column("dataset", pa.string(), "dataset of sae-probes"),
    *(column(name, pa.float64(), meaning) for name, meaning in MEASURES.items()),
]
BASELINE = pa.schema(_OF_DATASET)
PROBES = pa.schema(
    [
        column("k", pa.float64(), "active latents per token that the SAE was trained for"),
        column("seed", pa.int64(), "seed of its initial weights"),
        column("latents", pa.int64(), "latents that the probe uses"),
        *_OF_DATASET,
    ]
)
_PENALTY = "l2"
# What sae-probes has: rows of a dataset that are used, the largest training set, the smallest test set, rows at once.
_ROWS, _TRAINED_ON, _LEAST_TEST, _BATCH = 5000, 1024, 100, 128


class Split(NamedTuple):
    """A dataset, cut in two."""

    X_train: Float[Tensor, "n d"]
    """Activations to train on."""
    y_train: NDArray[np.integer[Any]]
    """Their labels, 0 or 1."""
    X_test: Float[Tensor, "m d"]
    """Activations to test on."""
    y_test: NDArray[np.integer[Any]]
    """Their labels."""


def require_datasets(names: Sequence[str]) -> None:
    """Refuse a dataset that sae-probes does not have.

    Raises:
        UserError: one is unknown; the message names its key in the params and lists the datasets.
    """
    from sae_probes import DATASETS

    for i, name in enumerate(names):
        if name not in DATASETS:
            raise UserError(f"`probing.datasets[{i}]` must be one of: {', '.join(DATASETS)}, got {name!r}")


def write_activations(
    datasets: Sequence[str], model: Model, hook: str, batch_size: int, longest: int, folder: Path
) -> None:
    """Write the activations at the last token of every text of the datasets, one file per dataset.

    On the CPU one process per processor writes them, each with one thread.
    """
    write = partial(_write_one, model=model, hook=hook, batch_size=batch_size, longest=longest, folder=folder)
    map_processes(write, datasets, processes_on(model.cfg.device), label="activations", unit="dataset")


@torch.no_grad()
def last_token_activations(
    texts: Sequence[str], model: Model, hook: str, batch_size: int, longest: int
) -> Float[Tensor, "n d"]:
    """Activations at the last token of each text, as sae-probes takes them.

    Texts longer than `longest` tokens lose their beginning. Those of similar length run together, so that few tokens
    are padding; it stands behind a text, where a causal model does not look.
    """
    tokenizer = model.tokenizer
    side, tokenizer.truncation_side = tokenizer.truncation_side, "left"  # a token that begins every text stays
    tokens = tokenizer(list(texts), truncation=True, max_length=longest)["input_ids"]
    tokenizer.truncation_side = side
    order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
    padding, found = tokenizer.pad_token_id or 0, torch.empty(len(texts), width_at(model, hook), dtype=model.cfg.dtype)
    for start in range(0, len(order), batch_size):
        indices = order[start : start + batch_size]
        widest = len(tokens[indices[-1]])
        padded = [tokens[i] + [padding] * (widest - len(tokens[i])) for i in indices]
        last = [len(tokens[i]) - 1 for i in indices]
        activations = activations_at(model, hook, torch.tensor(padded, device=model.cfg.device))
        found[indices] = activations[range(len(indices)), last].cpu()
    return found


def load_split(folder: Path, dataset: str, seed: int) -> Split:
    """A dataset's activations, as `write_activations` left them, and labels, split as sae-probes does.

    Raises:
        FileNotFoundError, UserError: the file of activations is missing, or is not readable.
    """
    from sae_probes.run_sae_evals import DATASET_SIZES
    from sae_probes.utils_data import get_train_test_indices, get_yvals

    path = folder / f"{dataset}.safetensors"
    with reading(path, "file of activations"):
        X, y = load_file(path)["activations"].float(), get_yvals(dataset)[:_ROWS]
    trained_on = min(DATASET_SIZES[dataset] - _LEAST_TEST, _TRAINED_ON)
    train, test = get_train_test_indices(y, trained_on, len(X) - trained_on - 1, 0.5, seed)
    return Split(X[train], y[train], X[test], y[test])


def baseline(split: Split, seed: int) -> dict[str, float]:
    """`MEASURES` of a logistic regression on the activations themselves."""
    from sae_probes.utils_training import find_best_reg

    with _quiet():
        return _measured(find_best_reg(*split, seed=seed, penalty=_PENALTY))


def probe(sae: SAE[Any], split: Split, counts: Sequence[int], seed: int) -> list[dict[str, float]]:
    """`MEASURES` of a logistic regression on so many latents, with `latents`, for each count.

    The latents are those whose means differ most between the classes, each latent over its mean where it fires.
    """
    from sae_probes.run_sae_evals import get_sorted_indices, mean_act_normalization
    from sae_probes.utils_training import find_best_reg

    train, test = (_encoded(sae, X) for X in (split.X_train, split.X_test))
    y_train, y_test = torch.tensor(split.y_train), torch.tensor(split.y_test)
    best, rows = get_sorted_indices(train, y_train, mean_act_normalization), []
    for count in counts:
        chosen = best[:count]
        with _quiet():
            result = find_best_reg(train[:, chosen], y_train, test[:, chosen], y_test, penalty=_PENALTY, seed=seed)
        rows.append({"latents": count, **_measured(result)})
    return rows


def over_datasets(function: Any, datasets: Sequence[str], folder: Path, seed: int, label: str) -> pd.DataFrame:
    """The rows, a dict each, that `function` makes of each dataset's split, with its `dataset`; several at once."""
    found = map_processes(
        lambda dataset: function(load_split(folder, dataset, seed)), datasets, label=label, unit="dataset"
    )
    return pd.DataFrame(
        [{**row, "dataset": dataset} for dataset, rows in zip(datasets, found, strict=True) for row in rows]
    )


def _write_one(dataset: str, model: Model, hook: str, batch_size: int, longest: int, folder: Path) -> None:
    from sae_probes.utils_data import read_numbered_dataset_df

    texts = read_numbered_dataset_df(dataset)["prompt"].tolist()[:_ROWS]
    found = last_token_activations(texts, model, hook, batch_size, longest)
    save_file({"activations": found}, folder / f"{dataset}.safetensors")


@torch.no_grad()
def _encoded(sae: SAE[Any], X: Float[Tensor, "n d"]) -> Float[Tensor, "n h"]:
    return torch.cat([sae.encode(batch).float() for batch in torch.split(X, _BATCH)])


def _measured(result: Any) -> dict[str, float]:
    found = asdict(result.metrics)
    names = ("test_f1", "test_acc", "test_auc", "val_auc")
    return dict(zip(MEASURES, (float(found[name]) for name in names), strict=True))


@contextmanager
def _quiet() -> Iterator[None]:
    # One thread, on which sums do not depend. A weak regularisation may not converge; another is then the best.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
