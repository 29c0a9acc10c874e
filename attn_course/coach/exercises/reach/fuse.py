"""Words that look at two pictures: how much of their attention does each get?"""

import math

import torch
from torch import Tensor

from attn_course.coach.spec import FUSED, Case, Mistake, Task, random


def slow_fuse(text: Tensor, left: Tensor, right: Tensor, w_q: Tensor, w_k: Tensor) -> Tensor:
    """Word by word: one softmax over the patches of both pictures, and two sums."""
    sentences = []
    for b in range(text.shape[0]):
        patches = list(left[b]) + list(right[b])
        words = []
        for word in text[b]:
            q = word @ w_q
            powers = [(torch.dot(q, patch @ w_k) / math.sqrt(w_q.shape[1])).exp() for patch in patches]
            first = sum(powers[: left.shape[1]])
            words.append(torch.stack([first, sum(powers) - first]) / sum(powers))
        sentences.append(torch.stack(words))
    return torch.stack(sentences)


def _scores(text: Tensor, patches: Tensor, w_q: Tensor, w_k: Tensor, scale: float | None = None) -> Tensor:
    """(batch, word, patch)"""
    return (text @ w_q) @ (patches @ w_k).transpose(-2, -1) / (scale or math.sqrt(w_q.shape[1]))


def _both(left: Tensor, right: Tensor) -> Tensor:
    return torch.cat([left, right], dim=1)


def _summed(weights: Tensor, n_left: int) -> Tensor:
    return torch.stack([weights[..., :n_left].sum(-1), weights[..., n_left:].sum(-1)], dim=-1)


def _with(measure=_summed, axis: int = -1, scale=None):
    """The solution with another measure of the weights, another axis of the softmax, or another scale."""

    def answer(text, left, right, w_q, w_k):
        divisor = scale(text, w_q) if scale else None
        weights = _scores(text, _both(left, right), w_q, w_k, divisor).softmax(axis)
        return measure(weights, left.shape[1])

    return answer


def _of_each(how):
    return lambda weights, n: torch.stack([how(weights[..., :n]), how(weights[..., n:])], dim=-1)


def _apart(text, left, right, w_q, w_k):
    return torch.stack([_scores(text, image, w_q, w_k).softmax(-1).sum(-1) for image in (left, right)], dim=-1)


def _of_means(text, left, right, w_q, w_k):
    return torch.stack([_scores(text, image, w_q, w_k).mean(-1) for image in (left, right)], dim=-1).softmax(-1)


def _images_ask(text, left, right, w_q, w_k):
    weights = _scores(_both(left, right), text, w_q, w_k).softmax(-1)  # (batch, patch, word)
    return _summed(weights.transpose(-2, -1), left.shape[1])


def _text_among_the_keys(text, left, right, w_q, w_k):
    weights = _scores(text, torch.cat([left, right, text], dim=1), w_q, w_k).softmax(-1)
    n, m = left.shape[1], right.shape[1]
    return _summed(weights[..., : n + m], n)


def _sums_to_one(out: Tensor, *args) -> str | None:
    total = out.sum(-1)
    if ((total - 1).abs() < 1e-9).all():
        return None
    worst = total.flatten()[(total - 1).abs().argmax()].item()
    return f"A word's two masses should add up to one, since it spends all its attention on the pictures: {worst:.3g}."


def _case(name: str, batch: int, words: int, patches: tuple[int, int], d: int, d_k: int, seed: int) -> Case:
    sizes = ((batch, words, d), (batch, patches[0], d), (batch, patches[1], d), (d, d_k), (d, d_k))
    return Case(name, tuple(random(*size, seed=seed + i) for i, size in enumerate(sizes)))


TASK = Task(
    id="reach.fuse",
    reference=slow_fuse,
    cases=(
        _case("1 word, 1 patch left, 1 right, 2 features", 1, 1, (1, 1), 2, 2, seed=10),
        _case("2 words, 2 patches each", 1, 2, (2, 2), 2, 2, seed=20),
        _case("2 words, 4 patches left, 1 right, 4 features, d_k 2", 1, 2, (4, 1), 4, 2, seed=30),
        _case("2 sentences of 3 words, 5 patches left, 9 right, 6 features, d_k 4", 2, 3, (5, 9), 6, 4, seed=40),
    ),
    axes=("word", "picture"),
    properties=(_sums_to_one,),
    refused=FUSED,
    mistakes=(
        Mistake(
            "a_softmax_for_each",
            "The softmax ran over each picture apart, so each gets exactly 1, whatever the word asks. A choice needs a "
            "contest: one softmax over the patches of both.",
            _apart,
        ),
        Mistake(
            "averaged",
            "You averaged the weights over a picture's patches. Mass is a *sum*: a mean says how much one patch gets, "
            "and makes a picture of many patches look neglected.",
            _with(measure=_of_each(lambda weights: weights.mean(-1))),
        ),
        Mistake(
            "the_strongest_patch",
            "You took the strongest patch of each picture. A head that spreads over one picture would seem not to look "
            "at it: add the patches up.",
            _with(measure=_of_each(lambda weights: weights.amax(-1))),
        ),
        Mistake(
            "cut_in_the_middle",
            "You cut the row of patches in the middle. The pictures need not have equally many: the first "
            "`left.shape[1]` patches are the left one's.",
            _with(measure=lambda weights, n: _summed(weights, weights.shape[-1] // 2)),
        ),
        Mistake(
            "exchanged",
            "Left and right are exchanged: the first number is for the left picture.",
            _with(measure=lambda weights, n: _summed(weights, n).flip(-1)),
        ),
        Mistake(
            "pictures_ask",
            "The patches ask and the words answer: queries come from the pictures. Here the *text* asks, so the "
            "queries are text @ w_q and the keys are patches @ w_k.",
            _images_ask,
        ),
        Mistake(
            "over_the_words",
            "The softmax runs over the words (axis −2). Each word decides alone how to spend its attention, among the "
            "patches.",
            _with(axis=-2),
        ),
        Mistake(
            "text_among_the_keys",
            "The words look at one another as well: the text is among the keys. Then the two masses do not add up to "
            "one. In cross-attention the keys come from the pictures alone.",
            _text_among_the_keys,
        ),
        Mistake("unscaled", "The scores are not divided by √d_k.", _with(scale=lambda text, w_q: 1.0)),
        Mistake(
            "scale_of_the_model",
            "The scores are divided by the root of the words' width. A dot product adds up d_k terms, as many as w_q "
            "has columns.",
            _with(scale=lambda text, w_q: math.sqrt(text.shape[-1])),
        ),
        Mistake(
            "softmax_of_means",
            "You averaged each picture's *scores* and then took a softmax over the two. A mean of scores lets one "
            "bright patch drown among dull ones: softmax over the patches first, then add up.",
            _of_means,
        ),
        Mistake(
            "projections_exchanged",
            "The two matrices are exchanged: w_q is for the words, w_k for the patches.",
            lambda text, left, right, w_q, w_k: _with()(text, left, right, w_k, w_q),
        ),
    ),
)
