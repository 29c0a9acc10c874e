"""Vitals of hidden states, (batch, token, d), and of heads' outputs, (batch, head, token, d): plain definitions."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attn_course.attention.shapes import shaped

Hidden = Float[Tensor, "batch token d"]
PerSequence = Float[Tensor, "batch"]
Heads = Float[Tensor, "batch head token d"]


# ---- are the tokens still different? ----


@shaped
def rank_residual(x: Hidden) -> PerSequence:
    """‖X − 1x̄ᵀ‖ / ‖X‖ with ‖·‖ = √(‖·‖₁ ‖·‖_∞), x̄ the mean of the tokens: what is left if all were made alike.

    0 (all tokens equal: rank collapse) to about 1. Healthy: M .68 to .99. Source: Dong et al. 2021 (2103.03404), whose
    figures take the root; their library leaves it out, which squares the number.
    """
    left = x - x.mean(-2, keepdim=True)
    return _ratio(_composite_norm(left), _composite_norm(x))


def _composite_norm(x: Hidden) -> PerSequence:
    columns, rows = x.abs().sum(-2).amax(-1), x.abs().sum(-1).amax(-1)  # ‖·‖₁ and ‖·‖_∞ of a matrix
    return (columns * rows).sqrt()


@shaped
def stable_rank(x: Hidden) -> PerSequence:
    """‖X‖_F² / ‖X‖₂² = Σσ² / max σ²: how many directions carry the tokens. 1 to min(token, d); 0 for zeros."""
    squares = torch.linalg.svdvals(_wide(x)).square()
    return _ratio(squares.sum(-1), squares.amax(-1)).to(x.dtype)


@shaped
def effective_rank(x: Hidden) -> PerSequence:
    """exp H(p), p_i = σ_i / Σσ: like `stable_rank`, small directions count too. 1 to min(token, d); 0 for zeros.

    Source: Roy and Vetterli 2007.
    """
    values = torch.linalg.svdvals(_wide(x))
    total = values.sum(-1)
    p = values / total.where(total > 0, 1)[:, None]
    return torch.special.xlogy(p, p).sum(-1).neg().exp().where(total > 0, 0).to(x.dtype)


@shaped
def token_cosine(x: Hidden) -> PerSequence:
    """The mean cosine of two different tokens: −1/(n−1) to 1. 1: all point the same way. 0 for a single token.

    It rises with a common direction alone, where `rank_residual` asks how large the rest is. Source: Noci et al. 2022
    (2206.03126).
    """
    n = x.shape[-2]
    unit = torch.nn.functional.normalize(x, dim=-1)
    cosines = unit @ unit.mT  # (batch, token, token)
    return (cosines.sum((-2, -1)) - cosines.diagonal(dim1=-2, dim2=-1).sum(-1)) / max(1, n * (n - 1))


# ---- what a block does to them ----


@shaped
def block_influence(before: Hidden, after: Hidden) -> PerSequence:
    """1 − E_t cos(x_t before, x_t after): 0 (the block turns no token, and may be spared) to 2.

    Source: Men et al. 2024, ShortGPT (2403.03853).
    """
    return 1 - torch.nn.functional.cosine_similarity(before, after, dim=-1).mean(-1)


@shaped
def attention_influence(x: Hidden, attended: Hidden) -> PerSequence:
    """1 − E_t cos(x_t, x_t + Attn(x)_t): near 0, the attention layer is redundant.

    Known: with half of its attention layers dropped by this measure Llama-2-70B was 48.4 % faster and 2.4 points worse
    (He et al. 2024, LLM-Drop, 2406.15786).
    """
    return block_influence(x, x + attended)


@shaped
def massive_activations(
    x: Hidden, least: float | int = 100, times: float | int = 1000
) -> Bool[Tensor, "batch token d"]:
    """Where |x| > `least` and |x| ≥ `times` the median |x| of its sequence. Few, at fixed features, on sink tokens.

    Known: LLaMA2-7B reaches about 2000 against a median of 0.2. Source: Sun et al. 2024 (2402.17762).
    """
    size = x.abs()
    median = size.flatten(1).median(-1).values[:, None, None]
    return (size > least) & (size >= times * median)


# ---- heads ----


@shaped
def cka(outputs: Heads) -> Float[Tensor, "batch head head"]:
    """Linear CKA of each two heads' outputs: ‖YᵀX‖_F² / (‖XᵀX‖_F ‖YᵀY‖_F), X and Y centred over the tokens.

    0 to 1 (equal up to rotation, scale and shift); 0 for a head that gives every token the same. With fewer tokens
    than features it is near 1 for anything: use many. Source: Kornblith et al. 2019 (1905.00414).
    """
    x = outputs - outputs.mean(-2, keepdim=True)
    gram = x @ x.mT  # (batch, head, token, token); ‖YᵀX‖_F² = ⟨XXᵀ, YYᵀ⟩
    inner = torch.einsum("bhst,bgst->bhg", gram, gram)
    size = inner.diagonal(dim1=-2, dim2=-1).sqrt()
    return _ratio(inner, size[:, :, None] * size[:, None, :])


@shaped
def head_importance(output: Heads, gradient: Heads) -> Float[Tensor, "head"]:
    """E |Attᵀ ∂L/∂Att|: how much an example's loss would move, to first order, if a head were silenced; mean over them.

    output     of each head, before they are joined
    gradient   ∂L/∂output

    Attᵀ ∂L/∂Att is summed over an example's tokens: the gradient of a gate on the head. In units of the loss. Compare
    within a layer (`normalised_by_layer`). Source: Michel et al. 2019 (1905.10650).
    """
    return (output * gradient).sum((-2, -1)).abs().mean(0)


def normalised_by_layer(importance: Float[Tensor, "*layer head"]) -> Float[Tensor, "*layer head"]:
    """A layer's importances divided by their Euclidean norm, so that layers can be compared (Michel et al. 2019)."""
    return _ratio(importance, importance.norm(dim=-1, keepdim=True))


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole, and 0 where the whole is 0."""
    return torch.where(whole > 0, part / whole.where(whole > 0, 1), 0)


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
