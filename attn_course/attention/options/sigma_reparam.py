"""σReparam: a matrix keeps its direction and is given a size of its own (Zhai et al. 2023, arXiv 2303.06296)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize


class SigmaReparam(nn.Module):
    """Ŵ = γ/σ(W) · W, where σ(W) is the largest singular value: that of Ŵ is |γ|, a learned number.

    σ is taken by power iteration: one step at each use in training, u and v being kept and saved with the model; they
    count as constants for the gradient, so that ∂σ/∂W = u vᵀ.
    """

    def __init__(self, weight: Float[Tensor, "out in"], gamma: float | None = 1.0):
        super().__init__()
        u, singular, vh = torch.linalg.svd(weight.detach().double(), full_matrices=False)
        if not singular[0] > 0:
            raise ValueError("A matrix of zeros has no direction, so it cannot be divided by its spectral norm.")
        gamma = singular[0] if gamma is None else torch.tensor(float(gamma))
        self.gamma = nn.Parameter(gamma.to(weight))
        self.register_buffer("u", u[:, 0].to(weight))
        self.register_buffer("v", vh[0].to(weight))

    def forward(self, weight: Float[Tensor, "out in"]) -> Float[Tensor, "out in"]:
        if self.training:
            self.iterate(weight)
        sigma = self.u @ weight @ self.v
        return self.gamma / sigma * weight

    @torch.no_grad()
    def iterate(self, weight: Float[Tensor, "out in"], steps: int = 1) -> None:
        """One step of power iteration turns u and v towards the singular vectors of the largest singular value."""
        for _ in range(steps):
            self.v = F.normalize(weight.T @ self.u, dim=0)  # new tensors: the old ones may await their backward pass
            self.u = F.normalize(weight @ self.v, dim=0)


def sigma_reparam(model: nn.Module, gamma: float | None = 1.0) -> list[str]:
    """Reparametrise every `nn.Linear` of a model in place; returns their names.

    gamma   where γ begins, the spectral norm of every matrix then: 1 in the paper. None: σ(W), so that nothing changes
            at first

    torch keeps W as `….parametrizations.weight.original`, and γ, u and v beside it: to load a saved model,
    reparametrise a new one first. Do it before an optimiser is made. Embeddings and biases stay. Raises
    ValueError if there is no linear layer, or one is reparametrised already.
    """
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Linear)}
    if not layers:
        raise ValueError(f"{type(model).__name__} has no linear layer, so there is nothing to reparametrise.")
    for name, layer in layers.items():
        if parametrize.is_parametrized(layer, "weight"):
            raise ValueError(f"{name or 'The layer'} is reparametrised already: call sigma_reparam once.")
    for layer in layers.values():
        parametrize.register_parametrization(layer, "weight", SigmaReparam(layer.weight, gamma))
    return list(layers)
