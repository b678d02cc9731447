"""Where SAEs are trained and measured."""

import torch


def pick_device(device: str) -> str:
    """`auto` is a GPU where there is one, else the CPU; other names are taken as they are."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device
