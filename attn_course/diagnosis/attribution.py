"""What an answer came from: several ways to say it, and how far two of them agree.

Every way gives one number a token. Some take the token away and see what happens to the answer (erasure), some ask the
gradient, some read the attention maps. None of them is the truth; erasure is at least an experiment.

`score` is what is to be explained: a function from a batch of inputs to one number for each, `(batch,)`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from attn_course.attention import LayerRecord, hiding, reweighing
from attn_course.diagnosis.vitals import jensen_shannon

Score = Callable[[Tensor], Float[Tensor, "batch"]]
Tokens = Int[Tensor, "batch token"]
PerToken = Float[Tensor, "batch token"]
Map = Float[Tensor, "batch head token token"]


@dataclass(frozen=True)
class Kept:
    """The weights of one attention layer in one run, and the gradient of the score with respect to them."""

    name: str
    weights: Float[Tensor, "batch head query key"]
    gradient: Float[Tensor, "batch head query key"]


# Erasure: what does the score lose without this token? Positive: it spoke for the answer.


@torch.no_grad()
def by_hiding(model: nn.Module, score: Score, tokens: Tokens, layers: Sequence[str] | None = None) -> PerToken:
    """score − score with this token's key hidden from all queries, in every layer or in these.

    Its share goes to the other keys. The token itself reads on, so whatever looks at it otherwise (an average over all
    tokens, the residual at its own place) still finds it. All layers in question must look at these tokens.
    """
    whole = score(tokens)
    places = torch.arange(tokens.shape[1], device=tokens.device)
    losses = []
    for place in places:
        with hiding(model, places != place, layers):
            losses.append(whole - score(tokens))
    return torch.stack(losses, dim=1)


@torch.no_grad()
def by_replacing(score: Score, tokens: Tokens, other: int | Tokens) -> PerToken:
    """score − score with another token in this token's place: one for all (a mask, a neutral word) or one for each."""
    other = torch.as_tensor(other, device=tokens.device).expand(tokens.shape)
    same = torch.eye(tokens.shape[1], dtype=torch.bool, device=tokens.device)
    without = [torch.where(same, new, row) for row, new in zip(tokens, other, strict=True)]  # each (place, token)
    return torch.stack([whole - score(rows) for whole, rows in zip(score(tokens), without, strict=True)])


@torch.no_grad()
def by_removing(score: Score, tokens: Tokens) -> PerToken:
    """score − score of the text without this token; what stood behind it moves up by one place."""
    n = tokens.shape[1]
    if n < 2:
        raise ValueError("A text of one token has nothing left without it. Replace the token instead: by_replacing.")
    others = torch.tensor([[at for at in range(n) if at != place] for place in range(n)], device=tokens.device)
    return torch.stack([whole - score(row[others]) for whole, row in zip(score(tokens), tokens, strict=True)])


# Gradients: what would the score lose at first, if a little were taken away?


def gradient_times_input(score: Score, x: Float[Tensor, "batch token features"]) -> PerToken:
    """Σ over features of x · ∂score/∂x: the first-order loss when a token's vector shrinks to zero. x: embeddings."""
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(_sum(score(x)), x)
    return (x * gradient).sum(dim=-1).detach()


def kept_weights(model: nn.Module, score: Score, inputs: Tensor) -> list[Kept]:
    """The weights of every attention layer as the model scores `inputs`, with gradients, in the order of the calls."""
    names, weights = [], []

    def keep(name: str, given: Tensor) -> Tensor:
        given = given if given.requires_grad else given.requires_grad_()
        names.append(name)
        weights.append(given)
        return given

    with torch.enable_grad(), reweighing(model, keep):
        total = _sum(score(inputs))
    gradients = torch.autograd.grad(total, weights, materialize_grads=True)
    every = zip(names, weights, gradients, strict=True)
    return [Kept(name, given.detach(), gradient) for name, given, gradient in every]


def gradient_times_attention(kept: Sequence[Kept]) -> Float[Tensor, "batch key"]:
    """Σ of A · ∂score/∂A over layers, heads and queries: the first-order loss when no query gives this key its weight.

    Other than in `by_hiding`, the others do not get its share. All layers must have the same keys.
    """
    _check_same_keys([each.weights for each in kept])
    return sum((each.weights * each.gradient).sum(dim=(1, 2)) for each in kept)


def relevance(kept: Sequence[Kept]) -> Float[Tensor, "batch token token"]:
    """R ← R + Ē R layer by layer, from R = I, with Ē the mean over heads of (A ⊙ ∂score/∂A)⁺: row = who reads.

    For self-attention. Source: Chefer et al. 2021, "Generic Attention-model Explainability" (2103.15679), section 3.
    """
    _check_same_keys([each.weights for each in kept])
    flow = _identity(kept[0].weights)
    for each in kept:
        flow = flow + (each.weights * each.gradient).clamp(min=0).mean(dim=1) @ flow
    return flow


# Maps alone.


def rollout(maps: Sequence[Map]) -> Float[Tensor, "batch token token"]:
    """Â_L ⋯ Â_1 with Â = ½ (Ā + I), Ā the mean over heads: how much of the input at each key is in each output.

    The half stands for the residual, as if it carried as much as attention; rows that see nothing keep the residual
    alone. Source: Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers" (2005.00928), section 3.
    """
    _check_same_keys(maps)
    flow = _identity(maps[0])
    for weights in maps:
        mixed = (weights.mean(dim=1) + _identity(weights)) / 2
        flow = mixed / mixed.sum(dim=-1, keepdim=True) @ flow
    return flow


def contributions(record: LayerRecord, w_o: Float[Tensor, "d_model joined"]) -> Float[Tensor, "batch query key"]:
    """‖Σ over heads of A_ij v_j W_O‖: how long the vector is that key j adds at query i. w_o: the last projection's.

    A weight says how much of a value is taken; a large share of a value near zero is little. Source: Kobayashi et al.
    2020, "Attention is Not Only a Weight" (2004.10102), section 3.
    """
    out = w_o.unflatten(1, (record.v.shape[1], -1))  # (d_model, head, d_head)
    projected = torch.einsum("bhjc,dhc->bhjd", record.v, out)
    return torch.einsum("bhij,bhjd->bijd", record.weights, projected).norm(dim=-1)


def permuted(weights: Float[Tensor, "*rest key"], generator: torch.Generator) -> Float[Tensor, "*rest key"]:
    """Each row's weights dealt out anew among the keys that have any. A key without weight stays so: what a mask hid.

    Source of the test: Jain and Wallace 2019, "Attention is not Explanation" (1902.10186), section 4.2.1.
    """
    none = weights == 0
    chance = torch.rand(weights.shape, generator=generator).to(weights.device).masked_fill(none, torch.inf)
    # Both lists name the keys with weight first: in their order, and in a random one.
    places = none.to(torch.uint8).argsort(dim=-1, stable=True)
    return torch.empty_like(weights).scatter(-1, places, weights.gather(-1, chance.argsort(dim=-1)))


# Agreement.


def kendall(a: Float[Tensor, "*rest item"], b: Float[Tensor, "*rest item"]) -> Float[Tensor, "*rest"]:
    """Kendall's τ_b of two rankings of the same items: 1 the same order, −1 the reverse, about 0 unrelated.

    (C − D) / √((C + D + T_a)(C + D + T_b)): pairs in the same order, less those in the opposite one, over those that
    each list tells apart. NaN where a list tells nothing apart. Source: Kendall 1945, "The treatment of ties".
    """
    _check_same_shape(a, b)
    upper = torch.ones(a.shape[-1], a.shape[-1], dtype=torch.bool, device=a.device).triu(1)
    first, second = ((x[..., :, None] - x[..., None, :]).sign()[..., upper] for x in (a.double(), b.double()))
    agreeing = (first * second).sum(dim=-1)
    return agreeing / (first.abs().sum(dim=-1) * second.abs().sum(dim=-1)).sqrt()


def divergence(p: Float[Tensor, "*rest key"], q: Float[Tensor, "*rest key"]) -> Float[Tensor, "*rest"]:
    """Jensen–Shannon divergence of two distributions, in bits: 0 alike, 1 where no key has weight in both.

    H(½ (p + q)) − ½ (H(p) + H(q)). Source: Lin 1991.
    """
    _check_same_shape(p, q)
    return jensen_shannon(p, q)


def _identity(weights: Tensor) -> Tensor:
    return torch.eye(weights.shape[-1], dtype=weights.dtype, device=weights.device).expand(len(weights), -1, -1)


def _sum(scores: Tensor) -> Tensor:
    """One sum for the whole batch: no sequence sees another, so its gradient is that of each alone."""
    if scores.dim() != 1:
        raise ValueError(f"score should give one number for each input, (batch,); got shape {tuple(scores.shape)}.")
    return scores.sum()


def _check_same_keys(maps: Sequence[Tensor]) -> None:
    shapes = sorted({tuple(weights.shape[-2:]) for weights in maps})
    if len(shapes) != 1 or shapes[0][0] != shapes[0][1]:
        raise ValueError(
            f"All maps should be of the same tokens looking at one another, (…, token, token), got {shapes or 'none'}: "
            "leave cross-attention out."
        )


def _check_same_shape(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape:
        raise ValueError(f"The two should speak of the same items: got shapes {tuple(a.shape)} and {tuple(b.shape)}.")
