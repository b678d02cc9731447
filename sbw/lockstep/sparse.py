"""BatchTopK's training step where few latents are active: four of its five matrix products use only these.

Shapes: h latents, d width of the activations, b batch, a active latents of all samples.
"""

import warnings
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from sae_lens import TrainingSAE
from torch import Tensor
from torch.nn.functional import embedding_bag

from sbw.lockstep.batchtopk import BatchTopKReplicas
from sbw.lockstep.replicas import Scratch
from sbw.saes.transition import schedule_of

DENSITY = 0.12
"""Share of active latents from which the dense layout is as fast."""
WEIGHTS = 128 * 128
"""Weights of the decoder below which the dense layout is as fast."""


def is_faster(sae: TrainingSAE[Any]) -> bool:
    """Whether this layout is faster for a BatchTopK SAE, as `python -m tests.benchmarks.crossover` finds it, to 25 %.

    torch multiplies sparse matrices on CPUs by Intel's MKL, which some platforms lack.
    """
    schedule, cfg = schedule_of(sae), sae.cfg
    few = max(schedule.start, schedule.end) < DENSITY * cfg.d_sae
    return few and cfg.d_in * cfg.d_sae >= WEIGHTS and torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]


class SparseBatchTopK(BatchTopKReplicas):
    """One BatchTopK SAE, with the arithmetic of `BatchTopKReplicas` except the order of the sums."""

    def __init__(self, *args: Any):
        super().__init__(*args)
        assert self.r == 1, "others are stepped one by one"
        with warnings.catch_warnings(category=UserWarning, action="ignore"):  # torch warns once that CSR is in beta
            torch.eye(1).to_sparse_csr()

    def _activate(self, s: Scratch) -> None:
        super()._activate(s)
        self.active = _Active(s.z[0])

    def _decode(self, s: Scratch, x: Float[Tensor, "1 d b"]) -> None:
        x_hat = self.active.times_rows(self.w.W_dec[0]).add_(self.w.b_dec[0].T)
        s.wide[0].copy_(x_hat.T).sub_(x[0])

    def _gradients(self, s: Scratch, x: Float[Tensor, "1 d b"]) -> None:
        g, active, rows = self.g, self.active, x[0].T.contiguous()
        torch.mm(active.by_latent(active.z), s.wide[0].T.contiguous(), out=g.W_dec[0])
        torch.sum(s.wide, dim=2, keepdim=True, out=g.b_dec)
        gradient = active.products(self.w.W_dec[0], s.wide[0])
        torch.mm(active.by_latent(gradient), rows, out=g.W_enc[0])
        g.b_enc[0, :, 0].zero_().index_add_(0, active.latents, gradient)
        for revived in self.revived:
            of_dead = self._revived_gradient(revived, s)
            g.W_enc[0, revived.dead] += of_dead @ rows
            g.b_enc[0, revived.dead] += of_dead.sum(dim=1, keepdim=True)

    def _fired(self, z: Float[Tensor, "r h b"]) -> Bool[Tensor, "r h"]:
        return (self.active.starts.diff() > 0).expand(z.shape[:2])


class _Active:
    """The active latents, in the order of the latents."""

    def __init__(self, z: Float[Tensor, "h b"]):
        self.shape = z.shape
        flat = z.numpy().reshape(-1)
        places = np.flatnonzero(flat != 0)  # several times faster than of the values themselves
        latents, samples = np.divmod(places, z.shape[1])
        self.latents, self.samples = torch.from_numpy(latents), torch.from_numpy(samples)
        self.z: Float[Tensor, " a"] = torch.from_numpy(flat[places])
        self.starts = _starts(latents, z.shape[0])

    def by_latent(self, values: Float[Tensor, " a"]) -> Float[Tensor, "h b"]:
        """A sparse matrix with these values where latents are active."""
        return torch.sparse_csr_tensor(self.starts, self.samples, values, self.shape, check_invariants=False)

    def times_rows(self, rows: Float[Tensor, "h d"]) -> Float[Tensor, "b d"]:
        """Each sample's sum of the active latents' rows, times their activations."""
        samples = self.samples.numpy()
        order = torch.from_numpy(np.argsort(samples.astype(np.min_scalar_type(self.shape[1])), kind="stable"))
        return embedding_bag(
            self.latents[order], rows, _starts(samples, self.shape[1]), per_sample_weights=self.z[order],
            mode="sum", include_last_offset=True,
        )  # fmt: skip

    def products(self, rows: Float[Tensor, "h d"], columns: Float[Tensor, "d b"]) -> Float[Tensor, " a"]:
        """The products of latents' rows and samples' columns where latents are active."""
        return torch.sparse.sampled_addmm(self.by_latent(self.z), rows, columns, beta=0).values()


def _starts(groups: NDArray[np.int64], count: int) -> Tensor:
    """Where each of `count` groups begins once its members are sorted, and where the last one ends."""
    starts = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(groups, minlength=count), out=starts[1:])
    return torch.from_numpy(starts)
