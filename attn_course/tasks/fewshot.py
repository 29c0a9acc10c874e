"""Few-shot labels: a row of examples, word and label, and then a word whose label is asked for.

64 words belong to four kinds, sixteen words each, and every row gives the four kinds four labels in an order of its
own. No word stands twice in a row, so there is nothing to copy: the label of a word follows from another word of its
kind. That words have kinds can be learned for good, into the weights. Which label a kind has this time can only be
read, in the context.

The truth is known: who knows the kinds and reads well is right as often as `ideal_accuracy` says, and no one more.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

KINDS, WORDS_OF_A_KIND = 4, 16
WORDS = KINDS * WORDS_OF_A_KIND
VOCABULARY = WORDS + KINDS  # tokens 0 … 63 are words (kind = token // 16), 64 … 67 are labels
MOST_EXAMPLES = WORDS_OF_A_KIND - 1
CHANCE = 1 / KINDS


@dataclass(frozen=True)
class FewShotBatch:
    words: Int[Tensor, "batch example"]
    labels: Int[Tensor, "batch example"]  # 0 … 3
    mapping: Int[Tensor, "batch kind"]  # the label of each kind, in this row

    @property
    def tokens(self) -> Int[Tensor, "batch token"]:
        """word label word label … word: after each word comes its label. The last word's is asked for."""
        pairs = torch.stack([self.words, self.labels + WORDS], dim=-1)  # (batch, example, 2)
        return pairs.flatten(1)[:, :-1]


def fewshot_batch(
    generator: torch.Generator,
    batch: int = 64,
    examples: int = 12,
    mapping: Int[Tensor, "kind"] | None = None,
) -> FewShotBatch:
    """Draw rows of `examples` words with labels and one word more to ask for.

    mapping   the label of each kind, the same in all rows; unless given, every row draws its own
    """
    if not 0 <= examples <= MOST_EXAMPLES:
        raise ValueError(f"A row has 0 to {MOST_EXAMPLES} examples, or its words might run out; got {examples}.")
    own = torch.rand(batch, KINDS, generator=generator).argsort(dim=-1)  # drawn either way: the same words follow
    if mapping is not None:
        if sorted(mapping.tolist()) != list(range(KINDS)):
            raise ValueError(f"mapping should hold each label from 0 to {KINDS - 1} once, got {mapping.tolist()}.")
        own = mapping.expand(batch, KINDS)
    kinds = torch.randint(KINDS, (batch, examples + 1), generator=generator)
    pool = torch.rand(batch, KINDS, WORDS_OF_A_KIND, generator=generator).argsort(dim=-1)  # each kind's words, shuffled
    is_kind = kinds[:, :, None] == torch.arange(KINDS)  # (batch, example, kind)
    turn = (is_kind.cumsum(dim=1) - 1).gather(2, kinds[:, :, None])[:, :, 0]  # how many of its kind stand before
    row = torch.arange(batch)[:, None]
    return FewShotBatch(kinds * WORDS_OF_A_KIND + pool[row, kinds, turn], own.gather(1, kinds), own)


def accuracy_by_examples(
    scores: Float[Tensor, "batch token vocabulary"], batch: FewShotBatch
) -> Float[Tensor, "example"]:
    """How often the best-scored *label* is right after 0, 1, 2, … examples. scores: model(batch.tokens)."""
    answers = scores[:, 0::2, WORDS:].argmax(dim=-1)  # at every word (batch, example)
    return (answers == batch.labels).float().mean(dim=0)


def ideal_accuracy(examples: int) -> float:
    """The best possible accuracy after so many examples.

    If m of the 4 kinds have been seen, the asked word's is among them with probability m/4, and then its label is
    known; else one of the 4 − m labels that are left is guessed. Together (m + 1)/4, and 1 when m = 4. The share of
    rows with m kinds follows from drawing one kind after another.
    """
    share = [1.0] + [0.0] * KINDS  # share[m]: rows in which m kinds have been seen
    for _ in range(examples):
        share = [
            share[m] * m / KINDS + (share[m - 1] * (KINDS - m + 1) / KINDS if m else 0.0) for m in range(KINDS + 1)
        ]
    return sum(each * min(m + 1, KINDS) / KINDS for m, each in enumerate(share))
