"""What gives an attribute away after it was taken out: names and occupations in a model's vectors, and in its maps.

The two ways are not of one weight. That a name's vector tells a man's from a woman's can be counted. That a pronoun
gives "nurse" other attention than "engineer" is a difference between maps, and a map is weak evidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from attn_course.models.pretrained import MiniLM, check_not_empty, load
from attn_course.tasks.word_sets import PRONOUNS, SAID

Vectors = Float[Tensor, "text d"]


@torch.no_grad()
def vectors(texts: Sequence[str], model: MiniLM | None = None) -> Vectors:
    """The model's vector of each text: the mean of its last layer over all tokens, of length 1.

    As all-MiniLM-L6-v2 is meant to be used. Raises ValueError for no text, or an empty one.
    """
    if isinstance(texts, str) or not len(texts):
        raise ValueError("Give a list of at least one text.")
    for text in texts:
        check_not_empty(text)
    model = load() if model is None else model
    tokens = [model.tokenizer.encode(text).ids for text in texts]
    found: list[Tensor | None] = [None] * len(texts)
    for length in {len(ids) for ids in tokens}:  # texts of one length make a batch without filler
        rows = [row for row, ids in enumerate(tokens) if len(ids) == length]
        states = model.model(torch.tensor([tokens[row] for row in rows]))  # (row, token, d)
        for row, mean in zip(rows, states.mean(1), strict=True):
            found[row] = mean / mean.norm()
    return torch.stack(found)


def direction(first: Vectors, second: Vectors) -> Float[Tensor, "d"]:
    """The mean difference of pairs, of length 1: what sets "he" from "she", "father" from "mother" and so on."""
    if first.shape != second.shape or not len(first):
        raise ValueError(f"Pairs need as many firsts as seconds, got {tuple(first.shape)} and {tuple(second.shape)}.")
    mean = (first - second).mean(0)
    if not mean.norm() > 0:
        raise ValueError("The differences cancel out, so they have no direction in common.")
    return mean / mean.norm()


def without(vectors: Vectors, direction: Float[Tensor, "d"]) -> Vectors:
    """The vectors without what they have along a direction of length 1, as `direction` gives it."""
    if not abs(direction.norm().item() - 1) < 1e-3:
        raise ValueError(f"The direction should have length 1, got {direction.norm().item():.3g}: divide it by that.")
    return vectors - (vectors @ direction)[:, None] * direction


def told_apart(first: Vectors, second: Vectors) -> float:
    """How often a vector lies nearer to the mean of its own set than to that of the other. By chance: about a half.

    Each is judged by means that it has no part in. Above a half by much: the sets can be told apart.
    """
    if first.shape[1:] != second.shape[1:]:
        raise ValueError(f"Both sets should be (text, d), got {tuple(first.shape)} and {tuple(second.shape)}.")
    if min(len(first), len(second)) < 2:
        raise ValueError("Each set needs two vectors at least: one is judged by the others.")
    right = 0
    for own, other in ((first, second), (second, first)):
        rest = (own.sum(0) - own) / (len(own) - 1)  # (text, d): the mean of the others
        right += int(((own - rest).norm(dim=-1) < (own - other.mean(0)).norm(dim=-1)).sum())
    return right / (len(first) + len(second))


@dataclass(frozen=True)
class Gap:
    """What a pronoun gives an occupation, mean over all heads and layers. Shares of attention."""

    occupation: str
    he: float
    she: float

    @property
    def gap(self) -> float:
        return self.he - self.she


def attention_gaps(occupations: Sequence[str], model: MiniLM | None = None, template: str = SAID) -> list[Gap]:
    """For each occupation: attention from "he" and from "she" to it, in sentences that differ in nothing else.

    template   has two places: the first for the occupation, the second for the pronoun
    """
    if isinstance(occupations, str) or not len(occupations):
        raise ValueError("Give a list of at least one occupation.")
    if template.count("{}") != 2:
        raise ValueError(f"The template has two places {{}}, for occupation and pronoun; got {template!r}.")
    model = load() if model is None else model
    return [Gap(each, *(_share(model, template, each, pronoun) for pronoun in PRONOUNS)) for each in occupations]


def _share(model: MiniLM, template: str, occupation: str, pronoun: str) -> float:
    reading = model.read(template.format(occupation, pronoun))
    pieces = model.tokenizer.encode(occupation, add_special_tokens=False).tokens
    starts = [i for i in range(len(reading.tokens)) if list(reading.tokens[i : i + len(pieces)]) == pieces]
    if not starts or pronoun not in reading.tokens:
        raise ValueError(f"{occupation!r} and {pronoun!r} should both stand in the sentence, got {reading.tokens}.")
    asks, keys = reading.tokens.index(pronoun), slice(starts[0], starts[0] + len(pieces))
    return torch.stack([layer.weights[0, :, asks, keys].sum(-1).mean() for layer in reading.layers]).mean().item()
