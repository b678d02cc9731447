"""Every metric of SAELens's evals, of SAEs in a language model, as tables.

Shapes: c contexts, t tokens per context, d width of the activations, of all heads together.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from jaxtyping import Float, Int
from sae_lens import SAE, ActivationsStore
from sae_lens.evals import get_eval_everything_config, run_evals
from sae_lens.training.activation_scaler import ActivationScaler
from torch import Tensor

from sbw.files import column
from sbw.llm.activations import load_texts, untokenised
from sbw.llm.model import Model, activations_at, joined, special_tokens
from sbw.llm.subjects import BY_MEAN_NORM, require_fit
from sbw.params.llm import EvalBatches
from sbw.pretrained.listed import Listed
from sbw.run.processes import map_processes, processes_on

GROUPS = {
    "reconstruction quality": {
        "explained_variance": "1 - E|x - x̂|² / total variance of x (about its mean)",
        "explained_variance_legacy": "mean over tokens of 1 - |x - x̂|² / |x - E x|², SAELens's former definition",
        "mse": "mean squared error, summed over the width",
        "cossim": "mean cosine similarity of input and reconstruction",
    },
    "magnitude": {
        "l2_norm_in": "mean norm of the input",
        "l2_norm_out": "mean norm of the reconstruction",
        "l2_ratio": "mean ratio of the reconstruction's norm to the input's",
        "relative_reconstruction_bias": "E|x̂|² / E(x·x̂): below 1, the reconstruction shrinks",
    },
    "behaviour": {
        "ce_loss_score": "share of the loss added by zeros that the SAE recovers",
        "ce_loss_without_sae": "cross-entropy of the next token, in nats, of the unchanged model",
        "ce_loss_with_sae": "… with the SAE's reconstruction in place of the activations",
        "ce_loss_with_ablation": "… with zeros in their place",
        "kl_div_score": "as ce_loss_score, for the divergence from the unchanged model's predictions",
        "kl_div_with_sae": "KL divergence from the unchanged model's predictions, in nats, with the SAE",
        "kl_div_with_ablation": "… with zeros",
    },
    "sparsity": {
        "l0": "active latents per token",
        "l1": "sum of the latents' activations per token",
    },
    "scale": {
        "total_tokens_eval_reconstruction": "tokens on which the model ran with the SAE in it",
        "total_tokens_eval_sparsity_variance": "tokens on which the metrics of the SAE alone were taken",
    },
}
"""The metrics in the groups of SAELens's tutorial."""

EVALS = pa.schema(
    [
        column("sae", pa.string(), "folder of the SAE, or release/sae_id"),
        column("architecture", pa.string(), "architecture that it was trained as"),
        column("k", pa.float64(), "active latents per token that it was trained for; null if it had no such target"),
        column("d_sae", pa.int64(), "number of latents"),
        column("model", pa.string(), "model in its metadata"),
        column("hook", pa.string(), "hook of the model that it reads"),
        *(column(name, pa.float64(), f"{group}: {meaning}") for group, metrics in GROUPS.items()
          for name, meaning in metrics.items()),
    ]
)  # fmt: skip
EVALS_OF_LATENTS = pa.schema(
    [
        column("sae", pa.string(), "as in the table of SAEs"),
        column("latent", pa.int64(), "index of the latent"),
        column("feature_density", pa.float64(), "share of the tokens on which it fires"),
        column("log10_density", pa.float64(), "log10 of the density plus 1e-10: -10 if it never fires"),
        column("consistent_activation_heuristic", pa.float64(),
               "tokens per context on which it fires, over contexts where it fires; null if it never does"),
        column("encoder_bias", pa.float64(), "b_enc; null if the SAE has none"),
        column("encoder_norm", pa.float64(), "norm of its column of W_enc"),
        column("encoder_decoder_cosine_sim", pa.float64(), "cosine of its column of W_enc with its row of W_dec"),
    ]
)  # fmt: skip


def evaluate_saes(
    subjects: list[Listed], model: Model, texts: Path, context_size: int, params: EvalBatches
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of `EVALS`, one per SAE, and of `EVALS_OF_LATENTS`, one per latent; NaN if a metric does not exist.

    On the CPU one process per processor measures them, each with one thread. An SAE that was trained on activations of
    mean norm √d, and whose factor for that is not folded in, gets the factor of all the texts that are measured.

    Args:
        subjects: the SAEs.
        model: the model that they were trained on.
        texts: folder of Parquet files with a column `text`.
        context_size: tokens per context, for SAEs whose metadata have none.
        params: how many batches.

    Raises:
        UserError: an SAE cannot be loaded, was trained on another model, or cannot be evaluated.
    """
    one = partial(_evaluate_one, model=model, texts=texts, context_size=context_size, params=params)
    rows, features = zip(*map_processes(one, subjects, processes_on(model.cfg.device)), strict=True)
    return pd.DataFrame(rows)[EVALS.names], pd.concat(features)


def evals_summary(evals: pd.DataFrame) -> dict[str, dict[str, float]]:
    """The main numbers of each SAE, to five digits."""
    names = ["l0", "explained_variance", "ce_loss_score", "kl_div_score", "ce_loss_without_sae", "ce_loss_with_sae",
             "ce_loss_with_ablation"]  # fmt: skip
    return {row["sae"]: {name: float(f"{row[name]:.5g}") for name in names} for _, row in evals.iterrows()}


class _Joined:
    """A model as SAELens's evals run it, whose activations at a hook have their heads in one width.

    The evals join heads themselves at hooks of some names alone, which a bridge's do not have.
    """

    HOOK = "joined"
    """What the hook is called here."""

    def __init__(self, model: Model, hook: str):
        self.model, self.hook, self.tokenizer = model, hook, model.tokenizer

    def __call__(self, tokens: Int[Tensor, "c t"], **options: Any) -> Any:
        return self.model(tokens, **options)

    def run_with_cache(self, tokens: Int[Tensor, "c t"], **_: Any) -> tuple[None, dict[str, Float[Tensor, "c t d"]]]:
        return None, {self.HOOK: activations_at(self.model, self.hook, tokens)}

    def run_with_hooks(
        self, tokens: Int[Tensor, "c t"], fwd_hooks: list[tuple[str, Callable[..., Tensor]]], **options: Any
    ) -> Any:
        edits = [(self.hook, partial(_on_joined, edit)) for _, edit in fwd_hooks]
        return self.model.run_with_hooks(tokens, fwd_hooks=edits, **options)


def _on_joined(edit: Callable[..., Tensor], x: Float[Tensor, "c t ..."], hook: Any) -> Float[Tensor, "c t ..."]:
    return edit(joined(x), hook=hook).reshape(x.shape)


def _metrics_of(
    sae: SAE[Any], model: Model, texts: Path, context_size: int, params: EvalBatches
) -> tuple[dict[str, float], dict[str, list[float]]]:
    metadata = sae.cfg.metadata
    metadata.prepend_bos = metadata.prepend_bos is not False
    opened = partial(
        ActivationsStore.from_sae,
        model,
        sae,
        dataset=load_texts(texts),
        context_size=metadata.context_size or context_size,
        store_batch_size_prompts=params.batch_size,
    )
    with untokenised():
        store = opened()
        scaler = _scaler(sae, opened, params.reconstruction_batches + params.sparsity_batches)
    heads_joined = _Joined(model, str(metadata.hook_name))
    metadata.hook_name = _Joined.HOOK
    sae.turn_off_forward_pass_hook_z_reshaping()
    config = get_eval_everything_config(
        batch_size_prompts=params.batch_size,
        n_eval_reconstruction_batches=params.reconstruction_batches,
        n_eval_sparsity_variance_batches=params.sparsity_batches,
    )
    groups, latents = run_evals(sae, store, heads_joined, scaler, config)
    return {name: value for group in groups.values() for name, value in group.items()}, latents


def _scaler(sae: SAE[Any], opened: Callable[[], ActivationsStore], batches: int) -> ActivationScaler:
    """What an SAE needs whose factor is not folded in, of the first batches, less the tokens that training left out."""
    scaler = ActivationScaler()
    if sae.cfg.normalize_activations == BY_MEAN_NORM:
        store, left_out = opened(), sae.cfg.metadata.exclude_special_tokens
        if left_out:
            tokens = special_tokens(store.model) if left_out is True else torch.tensor(left_out)
            store.exclude_special_tokens = tokens.to(store.device)
        read = (store.get_filtered_llm_batch() for _ in range(batches))
        scaler.estimate_scaling_factor(sae.cfg.d_in, read, batches)
    return scaler


def _evaluate_one(
    subject: Listed, model: Model, texts: Path, context_size: int, params: EvalBatches
) -> tuple[dict[str, Any], pd.DataFrame]:
    sae = subject.load().to(model.cfg.device)
    require_fit(sae, subject.name, model)
    metadata = sae.cfg.metadata
    row = {
        "sae": subject.name,
        "architecture": metadata.training_architecture or sae.cfg.architecture(),
        "k": getattr(sae.cfg, "k", None) or (metadata.training_architecture_details or {}).get("k"),
        "d_sae": sae.cfg.d_sae,
        "model": metadata.model_name,
        "hook": metadata.hook_name,
    }
    metrics, latents = _metrics_of(sae, model, texts, context_size, params)
    return row | metrics, _features(subject.name, latents)


def _features(name: str, latents: dict[str, list[float]]) -> pd.DataFrame:
    density = np.array(latents["feature_density"])
    return pd.DataFrame(
        {
            "sae": name,
            "latent": range(len(density)),
            **latents,
            "log10_density": np.log10(density + 1e-10),
            "encoder_bias": latents.get("encoder_bias", np.nan),
        }
    )[EVALS_OF_LATENTS.names]
