"""LoRA: a weight stays as it is, and a thin product of two small matrices is trained beside it.

Source: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models" (arXiv:2106.09685), section 4.1.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from fnmatch import fnmatch

import torch
from jaxtyping import Float
from torch import Tensor, nn

EVERY_BLOCK = ("*.blocks.*",)


class LoRA(nn.Linear):
    """h = W x + b + (α/r) · B A x. B starts at zero, so at first nothing is changed.

    linear   whose W and b are kept, and not trained
    r        the rank: A is (r, in), B is (out, r)
    alpha    how much of the product is added; r unless given, so that the factor is 1
    """

    def __init__(self, linear: nn.Linear, r: int, alpha: float | None = None):
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        _check_rank(r, self.in_features, self.out_features)
        self.weight, self.bias = linear.weight, linear.bias
        self.A = nn.Parameter(torch.randn(r, self.in_features) / self.in_features**0.5)
        self.B = nn.Parameter(torch.zeros(self.out_features, r))
        self.scale = 1.0 if alpha is None else alpha / r
        self.before = None  # W, while the product is merged into it

    @property
    def update(self) -> Float[Tensor, "out in"]:
        """(α/r) · B A: what is added to W. Its rank is r at the most."""
        return self.scale * self.B @ self.A

    def forward(self, x: Float[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:
        h = super().forward(x)  # W x + b
        if self.before is not None:
            return h
        return h + self.scale * (x @ self.A.T) @ self.B.T

    @torch.no_grad()
    def merge(self) -> None:
        """Add the product to W: the same outputs, at the cost of W alone. W as it was is kept."""
        if self.before is None:
            self.before = self.weight.clone()
            self.weight += self.update

    @torch.no_grad()
    def unmerge(self) -> None:
        """W as it was, bit for bit."""
        if self.before is not None:
            self.weight.copy_(self.before)
            self.before = None


def with_lora(
    model: nn.Module, r: int, alpha: float | None = None, where: Sequence[str] = EVERY_BLOCK, seed: int = 0
) -> nn.Module:
    """A copy of the model that trains a LoRA beside some of its linear layers, and nothing else.

    where   patterns of names, as of files: ("*.w_q", "*.w_v") for queries and values alone; all layers in blocks
            unless given. Raises ValueError with the names there are if none fits.
    seed    of the A matrices
    """
    copy = deepcopy(model).requires_grad_(False)
    chosen = linear_layers(copy, where)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, linear in chosen.items():
            copy.set_submodule(name, LoRA(linear, r, alpha))
    return copy


def linear_layers(model: nn.Module, where: Sequence[str]) -> dict[str, nn.Linear]:
    """The linear layers whose names fit one of the patterns."""
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Linear)}
    chosen = {name: layer for name, layer in layers.items() if any(fnmatch(name, pattern) for pattern in where)}
    if not chosen:
        raise ValueError(f"No linear layer is named like {', '.join(where)}. There are: {', '.join(layers)}.")
    return chosen


def loras(model: nn.Module) -> Iterator[LoRA]:
    """The LoRA layers of a model, to merge or unmerge each."""
    return (layer for layer in model.modules() if isinstance(layer, LoRA))


def _check_rank(r: int, n_in: int, n_out: int) -> None:
    if not 1 <= r <= min(n_in, n_out):
        raise ValueError(
            f"A layer from {n_in} to {n_out} features takes a LoRA of rank 1 to {min(n_in, n_out)}, got {r}."
        )
