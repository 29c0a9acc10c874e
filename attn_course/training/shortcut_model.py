"""The small encoder that may take a shortcut: how it is made, asked what a sentence is about, and watched."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attn_course.attention import Learned, Visibility, attention_weights, fused, padding
from attn_course.attention.watching import exchanged, layers_of
from attn_course.models.blocks import PreNorm
from attn_course.models.encoder import Encoder
from attn_course.tasks.marker import LABELS, LONGEST, Marked, vocabulary

D_MODEL, HEADS, LAYERS = 32, 4, 2
TOKENS, PLACES = 0.3, 0.1  # standard deviations of the first token and position vectors

Weights = Float[Tensor, "sentence head query key"]


def make(seed: int = 0, d_model: int = D_MODEL, layers: int = LAYERS) -> Encoder:
    """An untrained encoder with a score for each label at every token, of which that at [CLS] is read."""
    if d_model < HEADS or d_model % HEADS or layers < 1:
        raise ValueError(
            f"d_model should be a multiple of the {HEADS} heads and layers at least 1; got {d_model!r} and {layers!r}."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        positions, head = Learned(LONGEST + 2, d_model), nn.Linear(d_model, len(LABELS))
        parts = {"positions": positions, "block": PreNorm, "head": head, "mechanism": fused}
        model = Encoder(len(vocabulary()), d_model, HEADS, layers, **parts)
        nn.init.normal_(model.token.weight, std=TOKENS)
        nn.init.normal_(positions.table.weight, std=PLACES)
    return model


def scores(model: nn.Module, batch: Marked) -> Float[Tensor, "sentence label"]:
    """What the model says of each sentence, read at [CLS], before the softmax."""
    return model(batch.tokens, padding(batch.keep))[:, 0]


@contextmanager
def weights_kept(model: nn.Module) -> Iterator[list[Weights]]:
    """While open, each layer's attention weights are kept as it computes them: a gradient goes through them."""
    kept: list[Weights] = []

    def attend(q, k, v, visible=None, scale=None, score=None):
        weights = attention_weights(q, k, visible, scale, score)
        kept.append(weights)
        return weights @ v

    with exchanged(layers_of(model), lambda name, own: attend):
        yield kept


@torch.no_grad()
def maps(model: nn.Module, batch: Marked) -> list[Weights]:
    """Each layer's attention weights; columns of [PAD] are 0."""
    with weights_kept(model) as kept:
        scores(model, batch)
    return kept


def on_marker(weights: Weights, batch: Marked) -> Float[Tensor, "sentence query"]:
    """What each token gives the marker, mean over heads. Raises ValueError for sentences without one."""
    return (weights * batch.marked().is_marker[:, None, None, :]).sum(-1).mean(1)


@contextmanager
def barring(
    model: nn.Module, barred: Bool[Tensor, "sentence query key"], layers: tuple[str, ...] | None = None
) -> Iterator[None]:
    """While open, a query may not look at a key where `barred` is True, in these layers or in all.

    `hiding` takes a key from every query; this takes it from some. Names of layers: "stack.blocks.0.attention".
    Raises ValueError for a layer that is not there, and for a `barred` that is not True and False.
    """
    if barred.dtype != torch.bool or barred.dim() != 3:
        raise ValueError(
            f"barred should be True and False, (sentence, query, key); got {barred.dtype}, {tuple(barred.shape)}."
        )
    found = layers_of(model)
    unknown = sorted(set(layers or ()) - set(found))
    if unknown:
        raise ValueError(f"There is no attention layer {unknown[0]!r}. There are: {', '.join(found)}.")

    def narrowed(name, own):
        def attend(q, k, v, visible=None, **change):
            if isinstance(visible, Visibility):
                visible = visible.dense(q.shape[-2], k.shape[-2], device=q.device)
            if any(a not in (1, b) for a, b in zip(barred.shape, (len(q), q.shape[-2], k.shape[-2]), strict=True)):
                raise ValueError(
                    f"barred is {tuple(barred.shape)} for {len(q)} sentences of {q.shape[-2]} tokens: make it from the "
                    "batch that the model reads."
                )
            seen = ~barred[:, None] if visible is None else visible & ~barred[:, None]
            return own(q, k, v, seen, **change)

        return attend

    with exchanged({name: found[name] for name in (found if layers is None else layers)}, narrowed):
        yield


def cls_from_marker(batch: Marked) -> Bool[Tensor, "sentence query key"]:
    """For `barring`: [CLS] does not look at the marker."""
    asks = torch.arange(batch.tokens.shape[1]) == 0
    return asks[None, :, None] & batch.marked().is_marker[:, None, :]


def words_from_marker(batch: Marked) -> Bool[Tensor, "sentence query key"]:
    """For `barring`: no token but [CLS] and the marker itself looks at the marker."""
    asks = (torch.arange(batch.tokens.shape[1]) > 0) & ~batch.marked().is_marker
    return asks[:, :, None] & batch.is_marker[:, None, :]
