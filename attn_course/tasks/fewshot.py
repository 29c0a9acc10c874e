"""Few-shot labels: a row of examples, word and label, and then a word whose label is asked for.

Sixteen words belong to four kinds, four words each, and every row gives each kind a label of its own, drawn from 32.
That words have kinds can be learned for good, into the weights. Which label a kind has this time can only be read, in
the context: copied, if the same word stands there with its label, or concluded from another word of its kind.

The truth is known: who knows the kinds and reads well is right as often as `ideal_accuracy` says, and no one more.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

KINDS, WORDS_OF_A_KIND, LABELS = 4, 4, 32
WORDS = KINDS * WORDS_OF_A_KIND
VOCABULARY = WORDS + LABELS  # tokens 0 … 15 are words (kind = token // 4), 16 … 47 are labels
CHANCE = 1 / LABELS


@dataclass(frozen=True)
class FewShotBatch:
    words: Int[Tensor, "batch example"]
    labels: Int[Tensor, "batch example"]  # 0 … 31
    mapping: Int[Tensor, "batch kind"]  # the label of each kind, in this row

    @property
    def tokens(self) -> Int[Tensor, "batch token"]:
        """word label word label … word: after each word comes its label. The last word's is asked for."""
        pairs = torch.stack([self.words, self.labels + WORDS], dim=-1)  # (batch, example, 2)
        return pairs.flatten(1)[:, :-1]

    @property
    def seen_word(self) -> Bool[Tensor, "batch example"]:
        """Where the same word has stood before, so that its label can be copied."""
        return _stood_before(self.words)

    @property
    def seen_kind(self) -> Bool[Tensor, "batch example"]:
        """Where a word of the same kind has stood before, so that the label can be known."""
        return _stood_before(self.words // WORDS_OF_A_KIND)


def fewshot_batch(
    generator: torch.Generator,
    batch: int = 64,
    examples: int = 12,
    mapping: Int[Tensor, "kind"] | None = None,
) -> FewShotBatch:
    """Draw rows of `examples` words with labels and one word more to ask for.

    mapping   the label of each kind, the same in all rows; unless given, every row draws its own
    """
    if examples < 0:
        raise ValueError(f"A row has 0 examples or more, got {examples}.")
    own = torch.rand(batch, LABELS, generator=generator).argsort(dim=-1)[:, :KINDS]
    if mapping is not None:  # the draw above is made either way, so that the same words follow
        given = mapping.tolist()
        if len(given) != KINDS or len(set(given)) < KINDS or not set(given) <= set(range(LABELS)):
            raise ValueError(f"mapping should hold {KINDS} different labels from 0 to {LABELS - 1}, got {given}.")
        own = mapping.expand(batch, KINDS)
    words = torch.randint(WORDS, (batch, examples + 1), generator=generator)
    return FewShotBatch(words, own.gather(1, words // WORDS_OF_A_KIND), own)


def answers_right(
    scores: Float[Tensor, "batch token vocabulary"], batch: FewShotBatch
) -> Bool[Tensor, "batch example"]:
    """Whether the best-scored *label* is the right one, after each word. scores: model(batch.tokens)."""
    return scores[:, 0::2, WORDS:].argmax(dim=-1) == batch.labels


def accuracy_by_examples(
    scores: Float[Tensor, "batch token vocabulary"], batch: FewShotBatch
) -> Float[Tensor, "example"]:
    """How often the answer is right after 0, 1, 2, … examples."""
    return answers_right(scores, batch).float().mean(dim=0)


def ideal_accuracy(examples: int) -> float:
    """The best possible accuracy after so many examples.

    If m of the 4 kinds have been seen, the asked word's is among them with probability m/4, and then its label is
    known; else one of the 32 − m labels that are left is guessed. The share of rows with m kinds follows from drawing
    one kind after another.
    """
    share = [1.0] + [0.0] * KINDS  # share[m]: rows in which m kinds have been seen
    for _ in range(examples):
        share = [
            share[m] * m / KINDS + (share[m - 1] * (KINDS - m + 1) / KINDS if m else 0.0) for m in range(KINDS + 1)
        ]
    return sum(each * (m / KINDS + (1 - m / KINDS) / (LABELS - m)) for m, each in enumerate(share))


def _stood_before(x: Int[Tensor, "batch example"]) -> Bool[Tensor, "batch example"]:
    same = x[:, :, None] == x[:, None, :]  # (batch, example, earlier)
    return (same & torch.ones_like(same[0]).tril(-1)).any(dim=-1)
