"""Weights in files: written whole or not at all, and refused with a sentence if they do not fit."""

import os
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


def save_weights(model: nn.Module, path: str | Path) -> None:
    """Write the weights of `model` as safetensors."""
    save_tensors(model.state_dict(), Path(path), {"format": "pt"})


def load_weights(model: nn.Module, path: str | Path) -> nn.Module:
    """Put the weights of a file into `model`, and return it in evaluation mode.

    Raises FileNotFoundError or ValueError with one sentence if the file is not there, damaged, or of another model.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is damaged or cut short; fetch or train it again.") from error
    ours, theirs = model.state_dict(), weights
    for name in [*ours, *theirs]:
        here, there = (tuple(each[name].shape) if name in each else "missing" for each in (ours, theirs))
        if here != there:
            raise ValueError(f"{path} belongs to another model: {name} is {there} there and {here} here.")
    model.load_state_dict(weights)
    return model.eval()


def save_tensors(tensors: dict[str, Tensor], path: Path, text: dict[str, str]) -> None:
    """Write beside the file first, then put it in its place: an interruption leaves the old one whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    # Copies, since tied weights share their memory and safetensors keeps each tensor by itself.
    save_file({name: each.detach().cpu().contiguous().clone() for name, each in tensors.items()}, part, text)
    part.chmod(0o644)  # safetensors keeps its files to their owner; others may read what a course ships
    os.replace(part, path)
