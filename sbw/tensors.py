"""Tensors as safetensors files that know what was written to them."""

from hashlib import sha256
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor


def save_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    """Write a safetensors file that says what it holds by a digest, since safetensors sees no flipped bit.

    Raises:
        OSError: it cannot be written.
    """
    try:
        save_file(tensors, path, {"sha256": _digest(tensors)})
    except SafetensorError as error:
        raise OSError(str(error)) from error


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file that `save_tensors` wrote.

    Raises:
        FileNotFoundError, ValueError: the file is missing, or is not what was written.
    """
    try:
        with safe_open(path, "pt") as file:
            written, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path} is not a readable safetensors file: {error}") from error
    if (written or {}).get("sha256") != _digest(tensors):
        raise ValueError(f"{path} is not a readable safetensors file: it does not hold what was written")
    return tensors


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
