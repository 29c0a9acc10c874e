"""An adversarial test that is told nothing: every word of the vocabulary in every sentence, and what turns answers.

It is told no shortcut and needs no labels. What it finds is where a model may be turned, which is not yet a shortcut:
a word that the label depends on should turn some answers, and small models are turned by rare words as well. So its
list, as that of the audit of the data (`tasks.token_audit`), is read by a person.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from attn_course.tasks.marker import CLS, LABELS, PAD, UNKNOWN, Marked, vocabulary
from attn_course.training.shortcut_model import scores

AT_A_TIME = 2048  # rows


@dataclass(frozen=True)
class Turned:
    """What one word does, put before the first word of every sentence."""

    word: str
    changed: float  # share of answers that are others than without it
    label: int  # which label it speaks for: the one whose probability it raises
    pull: float  # by how much it raises that, mean over sentences; 0 to 1


@torch.no_grad()
def turning_words(model: nn.Module, batch: Marked, words: Sequence[str] | None = None) -> list[Turned]:
    """Every word (all of the vocabulary unless given), the one that turns most answers first.

    batch   sentences without a marker: `.removed()` of some with one. 20 to 40 are enough to see the first words.
    """
    if (batch.at >= 0).any():
        raise ValueError("Take the markers out first, so that every word is alone in saying what it says: .removed().")
    if not len(batch):
        raise ValueError("Give at least one sentence.")
    if isinstance(words, str):
        raise ValueError(f"Give a list of words, as in [{words!r}].")
    number = {word: token for token, word in enumerate(vocabulary())}
    chosen = [word for word, token in number.items() if token not in (PAD, CLS, UNKNOWN)] if words is None else words
    unknown = [word for word in chosen if word not in number]
    if unknown or not chosen:
        raise ValueError(f"{unknown[0]!r} is not in the vocabulary." if unknown else "Give at least one word.")
    plain = scores(model, batch).softmax(-1)
    found = []
    for some in torch.tensor([number[word] for word in chosen]).split(max(1, AT_A_TIME // len(batch))):
        said = scores(model, _with(batch, some)).softmax(-1).unflatten(0, (len(some), len(batch)))
        changed = (said.argmax(-1) != plain.argmax(-1)).double().mean(-1)
        pull = (said[..., 1] - plain[:, 1]).mean(-1)
        for token, share, raised in zip(some.tolist(), changed.tolist(), pull.tolist(), strict=True):
            found.append(Turned(vocabulary()[token], share, int(raised > 0), abs(raised)))
    return sorted(found, key=lambda each: (-each.changed, -each.pull))


def _with(batch: Marked, tokens: Tensor) -> Marked:
    """All sentences with each of these tokens after [CLS]: (token · sentence) rows."""
    rows = batch.tokens.repeat(len(tokens), 1)
    word = tokens.repeat_interleave(len(batch))[:, None]
    times = len(tokens)
    return Marked(
        torch.cat([rows[:, :1], word, rows[:, 1:]], dim=1),
        batch.labels.repeat(times),
        batch.markers.repeat(times),
        batch.at.repeat(times),
    )


def told(found: Sequence[Turned], most: int = 5) -> str:
    """The first words, one a line."""
    return "\n".join(f"{each.word:14} {each.changed:.2f}  {LABELS[each.label]}" for each in found[:most])
