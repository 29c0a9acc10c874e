"""QK-clip: heads whose scores have grown too large get smaller projections (Kimi K2, arXiv 2507.20534)."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from attn_course.attention.formula import attention_scores
from attn_course.attention.heads import MultiHead
from attn_course.attention.option import asks, told
from attn_course.attention.options.qk_norm import QKNorm
from attn_course.attention.watching import exchanged, layers_of

Largest = dict[str, Float[Tensor, "head"]]


@contextmanager
def largest_scores(model: nn.Module) -> Iterator[Largest]:
    """While open, the largest visible q·k·scale of each head: layer's name → (head,), over all calls.

    Before a bias by position or a soft-cap, and of the text's own keys: it is what the projections make, and what a
    clip of them can change. −∞ where no query sees any key.
    """
    largest: Largest = {}

    def beside(name: str, mechanism: Callable) -> Callable:
        def attend(q, k, v, visible=None, **change):
            with torch.no_grad():
                asked = asks(mechanism, q, k, v, visible, **change) or {"q": q, "k": k, "scale": change.get("scale")}
                keys = asked["k"][..., -k.shape[-2] :, :]  # a key of the mechanism's own stands before them
                found = attention_scores(asked["q"], keys, visible, asked["scale"]).amax((0, 2, 3))
                largest[name] = torch.maximum(largest[name], found) if name in largest else found
            return mechanism(q, k, v, visible, **change)

        return told(attend, mechanism)

    with exchanged(layers_of(model), beside):
        yield largest


@torch.no_grad()
def qk_clip(model: nn.Module, tau: float, largest: Largest) -> dict[str, Float[Tensor, "head"]]:
    """Rescale w_q and w_k of every head whose largest score passed tau. Call it after an optimiser's step.

    tau       the largest score that a head may keep
    largest   what its scores were: from `largest_scores`, open while the loss was taken

    With γ = tau / largest, w_q and w_k of such a head, weights and biases, are multiplied by √γ each, so that on the
    same input its largest score is tau; the other heads stay as they are. A head that shares its keys with others
    (grouped queries) has its w_q multiplied by γ, and the keys stay. Returns γ by layer, 1 where nothing was done.

    Raises ValueError with one sentence for a tau that is not above 0, a layer that is not there, and weights that such
    a change does not reach (QK-norm, σReparam). Source: Kimi K2 (Kimi Team 2025, arXiv 2507.20534), with tau = 100.
    """
    if not tau > 0:
        raise ValueError(f"tau is the largest score that a head may keep, so above 0; got {tau!r}.")
    layers, factors = layers_of(model), {}
    for name, most in largest.items():
        if name not in layers:
            raise ValueError(f"There is no attention layer {name!r}. There are: {', '.join(layers)}.")
        _check_clippable(name, layers[name])
        most = most.to(layers[name].w_q.weight)
        gamma = torch.where(most > tau, tau / most.clamp(min=torch.finfo(most.dtype).tiny), 1.0)
        _rescale(layers[name], gamma)
        factors[name] = gamma
    return factors


def with_qk_clip(loss_of_batch: Callable, tau: float) -> Callable:
    """`loss_of_batch` of `training.loop.train`, with a QK-clip before each batch for what the one before it showed.

    That is after the optimiser's step, as the source has it; only the last step of a run goes unclipped.
    """
    largest: Largest = {}

    @functools.wraps(loss_of_batch)
    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        qk_clip(model, tau, largest)
        largest.clear()
        with largest_scores(model) as found:
            value = loss_of_batch(model, generator)
        largest.update(found)
        return value

    return loss


def _rescale(layer: MultiHead, gamma: Float[Tensor, "head"]) -> None:
    alone = layer.kv_heads == layer.heads
    _multiply(layer.w_q, gamma.sqrt() if alone else gamma, layer.d_head)
    if alone:
        _multiply(layer.w_k, gamma.sqrt(), layer.d_head)


def _multiply(linear: nn.Linear, factor: Float[Tensor, "head"], d_head: int) -> None:
    rows = factor.repeat_interleave(d_head)  # one for each output feature
    linear.weight.mul_(rows[:, None])
    if linear.bias is not None:
        linear.bias.mul_(rows)


def _check_clippable(name: str, layer: MultiHead) -> None:
    if any(parametrize.is_parametrized(linear, "weight") for linear in (layer.w_q, layer.w_k)):
        raise ValueError(
            f"The projections of {name} are reparametrised, so a clip of their weights has no hold on them."
        )
    if isinstance(layer.mechanism, nn.Module) and any(isinstance(each, QKNorm) for each in layer.mechanism.modules()):
        raise ValueError(f"{name} has a QK-norm: its scores do not depend on the size of w_q and w_k. Clip its gain.")
