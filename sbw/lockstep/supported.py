"""The SAEs and options that the trainer supports."""

from collections.abc import Sequence
from typing import Any

from sae_lens import BatchTopKTrainingSAE, JumpReLUTrainingSAE, TrainingSAE

from sbw.lockstep.batchtopk import BatchTopKReplicas
from sbw.lockstep.jumprelu import JumpReLUReplicas
from sbw.lockstep.replicas import Replicas
from sbw.saes.transition import TransitionTrainingSAE

REPLICAS: dict[type, type[Replicas]] = {
    BatchTopKTrainingSAE: BatchTopKReplicas,
    JumpReLUTrainingSAE: JumpReLUReplicas,
    TransitionTrainingSAE: BatchTopKReplicas,
}
"""What trains the SAEs of a class."""
_SUPPORTED: dict[str, tuple[Any, ...]] = {
    "apply_b_dec_to_input": (True,),
    "dtype": ("float32", "float64"),
    "jumprelu_sparsity_loss_mode": ("tanh",),
    "jumprelu_ste_to_input": (False,),
    "normalize_activations": ("none", "expected_average_only_in"),
    "pre_act_loss_coefficient": (None,),
    "rescale_acts_by_decoder_norm": (True,),
    "reshape_activations": ("none",),
    "use_sparse_activations": (False,),
}
_MAY_DIFFER = {"initial_k", "k", "l0_coefficient", "metadata", "ramp_from", "ramp_to"}


def require_supported(saes: Sequence[TrainingSAE[Any]], steps: int, steered: bool) -> None:
    """Raise a `ValueError` where the SAEs differ, or have an option that the trainer does not support."""
    first = saes[0]
    if type(first) not in REPLICAS:
        allowed = ", ".join(kind.__name__ for kind in REPLICAS)
        raise ValueError(f"`saes` must be of one of the classes: {allowed}, got {type(first).__name__}")
    if steered and type(first) is not BatchTopKTrainingSAE:
        raise ValueError(f"`steer` sets the k of BatchTopKTrainingSAE, got {type(first).__name__}")
    for name, value in vars(first.cfg).items():
        if value not in _SUPPORTED.get(name, (value,)):
            raise ValueError(f"`{name}` must be one of: {_SUPPORTED[name]}, got {value!r}")
    if isinstance(first, TransitionTrainingSAE) and first.cfg.training_steps != steps:
        raise ValueError(f"`training_steps` must be the steps trained ({steps}), got {first.cfg.training_steps}")
    for sae in saes:
        if type(sae) is not type(first):
            raise ValueError(f"`saes` must be of one class, got {type(first).__name__} and {type(sae).__name__}")
        for name, value in vars(first.cfg).items():
            other = getattr(sae.cfg, name)
            if name not in _MAY_DIFFER and other != value:
                raise ValueError(f"`{name}` must be the same for all SAEs, got {value!r} and {other!r}")
