"""Look for a shortcut in the data, before anything is trained: what does each token alone say of the label?

For every token the sentences are counted in a table of two by two (it is there or not, label 0 or 1), and the mutual
information of the two is taken, in bits: 0 says nothing, 1 says all where both labels are as frequent. Its likelihood
ratio G = 2 N ln 2 · bits is compared with what chance gives (χ² with one degree of freedom), times the number of tokens
that were looked at (Bonferroni), because among a thousand tokens a one-in-a-thousand chance is no news.

What the audit cannot know is whether a token may say so much. "Statement" tells sentences about statements from others,
and should; a stamp tells as much, and should not. It makes the list; a person reads it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

LEAST = 5  # sentences: a token in fewer is not looked at
ALPHA = 0.01  # the chance, corrected, below which a token is no accident
BITS = 0.1  # from here on a single token says more than a word of a text usually does


@dataclass(frozen=True)
class Told:
    """What one token, or two that stand in a sentence together, say of the label."""

    tokens: tuple[str, ...]
    bits: float  # mutual information with the label
    count: int  # sentences with it
    ones: int  # of these with label 1
    p: float  # the chance of so much information where there is none, corrected for how many were looked at
    alone: float  # accuracy on all sentences of the best rule that looks at nothing else

    @property
    def label(self) -> int:
        """The label that most of its sentences have."""
        return int(2 * self.ones > self.count)

    @property
    def alarm(self) -> bool:
        """No accident, and more than a word usually says."""
        return self.p < ALPHA and self.bits >= BITS


def audit(texts: Sequence[Sequence[str]], labels: Sequence[int] | Tensor, least: int = LEAST) -> list[Told]:
    """Every token that stands in at least `least` sentences, and is missing in as many; the most telling first.

    texts    each sentence as its tokens
    labels   0 or 1 for each; both must occur
    """
    names, there, labels = _table(texts, labels, least)
    count, ones = there.sum(0), (there * labels[:, None]).sum(0)
    return _told([(name,) for name in names], count, ones, labels)


def audit_pairs(texts: Sequence[Sequence[str]], labels: Sequence[int] | Tensor, least: int = LEAST) -> list[Told]:
    """The same for every two tokens that stand together in at least `least` sentences: what no token says alone."""
    names, there, labels = _table(texts, labels, least)
    count, ones = there.T @ there, there.T @ (there * labels[:, None])
    first, second = torch.triu_indices(len(names), len(names), 1)
    often = (count[first, second] >= least) & (count[first, second] <= len(labels) - least)
    first, second = first[often], second[often]
    pairs = [(names[i], names[j]) for i, j in zip(first.tolist(), second.tolist(), strict=True)]
    return _told(pairs, count[first, second], ones[first, second], labels)


def mutual_information(
    count: Float[Tensor, "*token"], ones: Float[Tensor, "*token"], n: int, n_ones: int
) -> Float[Tensor, "*token"]:
    """Bits that "the token is there" and "the label is 1" share.

    count   sentences with the token; ones: of these with label 1; n: all sentences; n_ones: of these with label 1
    """
    if n < 1:
        raise ValueError(f"n is how many sentences there are, 1 or more, got {n!r}.")
    cells = torch.stack([ones, count - ones, n_ones - ones, n - n_ones - count + ones], -1) / n
    if (cells < 0).any():
        raise ValueError(
            "More sentences have the token and the label together than have one of them: check the counts."
        )
    there, label = (count / n)[..., None], n_ones / n
    expected = torch.cat([there * label, there * (1 - label), (1 - there) * label, (1 - there) * (1 - label)], -1)
    return (torch.xlogy(cells, cells) - torch.xlogy(cells, expected)).sum(-1).clamp(min=0) / math.log(2)


def chance(bits: Float[Tensor, "*token"], n: int) -> Float[Tensor, "*token"]:
    """How often chance gives as much: P(χ² > G) with one degree of freedom, G = 2 n ln 2 · bits. Not corrected."""
    return torch.erfc((n * math.log(2) * bits).sqrt())


def _told(names: list[tuple[str, ...]], count: Tensor, ones: Tensor, labels: Tensor) -> list[Told]:
    n, n_ones = len(labels), int(labels.sum())
    bits = mutual_information(count, ones, n, n_ones)
    p = (chance(bits, n) * len(names)).clamp(max=1)
    with_it = torch.maximum(ones, count - ones)
    without = torch.maximum(n_ones - ones, n - n_ones - count + ones)
    alone = (with_it + without) / n
    order = bits.argsort(descending=True, stable=True).tolist()
    return [Told(names[i], bits[i].item(), int(count[i]), int(ones[i]), p[i].item(), alone[i].item()) for i in order]


def _table(
    texts: Sequence[Sequence[str]], labels: Sequence[int] | Tensor, least: int
) -> tuple[list[str], Float[Tensor, "sentence token"], Float[Tensor, "sentence"]]:
    labels = torch.as_tensor(labels).double()
    if len(texts) != len(labels) or not len(labels):
        raise ValueError(
            f"Each of at least one sentence needs a label, got {len(texts)} sentences, {len(labels)} labels."
        )
    if not ((labels == 0) | (labels == 1)).all() or labels.min() == labels.max():
        raise ValueError("Labels should be 0 and 1, and both should occur: with one there is nothing to tell.")
    if least < 1:
        raise ValueError(f"least is how many sentences a token should stand in, 1 or more, got {least!r}.")
    if any(isinstance(text, str) for text in texts):
        raise TypeError("A sentence should be its tokens, as in text.split(), and not one string.")
    number = {token: i for i, token in enumerate(dict.fromkeys(token for text in texts for token in text))}
    there = torch.zeros(len(texts), len(number), dtype=torch.double)
    for row, text in enumerate(texts):
        there[row, [number[token] for token in text]] = 1
    count = there.sum(0)
    often = (count >= least) & (count <= len(texts) - least)
    kept = often.nonzero()[:, 0]
    names = list(number)
    return [names[i] for i in kept.tolist()], there[:, kept], labels
