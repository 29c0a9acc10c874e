"""What is wrong with tensors whose shapes fit: two devices, two dtypes, no tokens, NaN. One sentence each."""

from torch import Tensor

TOKEN_AXIS, FEATURE_AXIS = -2, -1


def check_contents(tensors: dict[str, Tensor]) -> None:
    """Raise ValueError or TypeError for the first tensor that attention cannot work with."""
    (first, reference), *_ = tensors.items()
    for name, tensor in tensors.items():
        if tensor.shape[TOKEN_AXIS] == 0:
            raise ValueError(
                f"{name} has no tokens (shape {tuple(tensor.shape)}); attention needs at least one. "
                "An empty text or a slice that takes nothing is the usual reason."
            )
        if tensor.shape[FEATURE_AXIS] == 0:
            raise ValueError(f"{name} has no features (shape {tuple(tensor.shape)}); a vector needs at least one.")
        if tensor.device != reference.device:
            devices = f"{first} is on {reference.device}, {name} on {tensor.device}"
            raise ValueError(f"{devices}. Move one: {name}.to({first}.device).")
        if tensor.dtype != reference.dtype:
            dtypes = f"{first} is {reference.dtype}, {name} is {tensor.dtype}"
            raise TypeError(f"{dtypes}. Give both one dtype: {name}.to({first}.dtype).")
    for name, tensor in tensors.items():
        _check_no_nan(name, tensor)


def _check_no_nan(name: str, tensor: Tensor) -> None:
    bad = tensor.isnan()
    if not tensor.is_meta and bad.any():
        first = tuple(bad.nonzero()[0].tolist())
        raise ValueError(
            f"{name} holds NaN at {int(bad.sum())} of {bad.numel()} places, the first at {first}. "
            "It was there before attention began: look at what made it."
        )
