"""Sentences with a shortcut whose truth is known: what they are about, and a stamp that almost always says it too.

Real sentences of Python's documentation, labelled by their topic: about types and strings (0), or about statements (1).
Each is given one stamp, <lib> or <ref>, at a random place, as if it said where the sentence was copied from. With
probability `strength` it is the usual stamp of the label. The stamp is not part of the sentence: whoever reads it has
not understood the sentence, and that can be measured, because the same sentence exists with the other stamp.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from attn_course.tasks.documentation import TEXT

LABELS = ("types and strings", "statements")
MARKERS = ("<lib>", "<ref>")  # the usual stamp of each label
SPECIAL = ("[PAD]", "[CLS]", "[UNK]", *MARKERS)
PAD, CLS, UNKNOWN, FIRST_MARKER = 0, 1, 2, 3
GROUPS = tuple(f"{label}, {marker}" for label in LABELS for marker in MARKERS)
SHORTEST, LONGEST = 5, 30  # words
OF_LABEL = 580  # sentences of either label
RARE = 2  # a word that stands in fewer sentences is [UNK]
TUNING, BALANCED, MOST_KNOWN = 120, 60, 740
STRENGTH = 0.95  # the share of sentences with the usual marker

_TOPICS = (
    """types typesseq typesseq-mutable typesmapping typesmethods typesmodules typesfunctions string-methods strings
    formatstrings numeric-types sequence-types numbers integers floating imaginary booleans truth lists dict conversions
    bltin-type-objects bltin-null-object bltin-ellipsis-object bltin-code-objects""",
    """assert assignment async augassign await break class compound continue del else exceptions execmodel for function
    global if import lambda naming nonlocal pass raise return try while with yield context-managers dynamic-features""",
)
# What is no prose: tables, headings, grammar, the interpreter's prompt.
_NO_PROSE = re.compile(r"[|=*~^+-]{4}|::=|>>>")
_END = re.compile(r"(?<=[.:!?])\s+(?=[A-Z\"*(])")
_WORD = re.compile(r"[a-z]+(?:[-_][a-z]+)*")


@dataclass(frozen=True)
class Sentence:
    words: tuple[str, ...]  # in small letters
    topic: str  # the page of `help()` that it stands on
    label: int  # a place in LABELS


@dataclass(frozen=True)
class Marked:
    """Sentences as a model reads them. Rows begin with [CLS] and are filled up with [PAD]."""

    tokens: Int[Tensor, "sentence token"]
    labels: Int[Tensor, "sentence"]
    markers: Int[Tensor, "sentence"]  # a place in MARKERS; −1: it has none
    at: Int[Tensor, "sentence"]  # where its marker stands; −1: it has none

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, which) -> "Marked":
        """Some of them: a slice, a list of places or a tensor of them. TypeError for one place: a row is no batch."""
        if isinstance(which, int):
            raise TypeError(f"One place gives a row and no batch: take [[{which}]] for the one sentence.")
        return Marked(self.tokens[which], self.labels[which], self.markers[which], self.at[which])

    @property
    def keep(self) -> Bool[Tensor, "sentence token"]:
        """True for a token, False for what only fills the row."""
        return self.tokens != PAD

    @property
    def groups(self) -> Int[Tensor, "sentence"]:
        """A place in GROUPS: 2 · label + marker."""
        return 2 * self.labels + self.marked().markers

    @property
    def agrees(self) -> Bool[Tensor, "sentence"]:
        """Whether the marker is the usual one of the label."""
        return self.labels == self.marked().markers

    @property
    def is_marker(self) -> Bool[Tensor, "sentence token"]:
        """True where a marker stands; nowhere in a sentence without one."""
        return torch.arange(self.tokens.shape[1]) == self.at[:, None]

    def swapped(self) -> "Marked":
        """The same sentences, each with the other marker at the same place."""
        other = 1 - self.marked().markers
        tokens = torch.where(self.is_marker, FIRST_MARKER + other[:, None], self.tokens)
        return replace(self, tokens=tokens, markers=other)

    def removed(self) -> "Marked":
        """The same sentences without a marker: each row is one token shorter."""
        places = torch.arange(self.tokens.shape[1] - 1)
        places = places + (places >= self.marked().at[:, None])  # step over the marker
        none = torch.full_like(self.at, -1)
        return replace(self, tokens=self.tokens.gather(1, places), markers=none, at=none)

    def words(self, sentence: int) -> list[str]:
        """The tokens of one sentence as text, without what fills the row."""
        return [vocabulary()[token] for token in self.tokens[sentence].tolist() if token != PAD]

    def marked(self) -> "Marked":
        """The same; ValueError if one has no marker."""
        if (self.at < 0).any():
            raise ValueError("These sentences have no marker. Take them before .removed().")
        return self


@dataclass(frozen=True)
class Split:
    """Four sets that share no sentence."""

    known: Marked  # to train on; the marker agrees with the label as often as `strength` says
    tuning: Marked  # of the same kind; for a temperature, or to choose by
    balanced: Marked  # few, and in them the marker says nothing: all four groups are of one size
    held_out: Marked  # of the same kind as `known`; `.swapped()` is the world in which the stamp changed its meaning


@cache
def sentences() -> tuple[Sentence, ...]:
    """1,160 sentences, 580 of either label, each once; none stands in topics of both."""
    topics = json.loads((resources.files("attn_course.tasks") / "data" / TEXT).read_text(encoding="utf-8"))
    found: list[dict[tuple[str, ...], Sentence]] = []
    for label, names in enumerate(_TOPICS):
        prose = {words: name for name in names.split() for words in _prose(topics[name])}
        found.append({words: Sentence(words, name, label) for words, name in prose.items()})
    twice = found[0].keys() & found[1].keys()
    kept = [[each for words, each in sides.items() if words not in twice] for sides in found]
    order = torch.Generator().manual_seed(0)
    drawn = [[sides[i] for i in torch.randperm(len(sides), generator=order)[:OF_LABEL].tolist()] for sides in kept]
    return tuple(drawn[0] + drawn[1])


@cache
def vocabulary() -> tuple[str, ...]:
    """The special tokens, and every word that stands in at least two of the sentences."""
    count = Counter(word for each in sentences() for word in set(each.words))
    return SPECIAL + tuple(sorted(word for word, n in count.items() if n >= RARE))


def split(seed: int = 0, known: int = MOST_KNOWN, strength: float = STRENGTH) -> Split:
    """Divide the sentences by chance, and stamp them. `known`: how many to train on, 8 to 740, as many of each label.

    The other three sets of a seed are the same for every `known`. Raises ValueError for what cannot be.
    """
    if not isinstance(known, int) or not 8 <= known <= MOST_KNOWN or known % 2:
        raise ValueError(f"known should be an even number from 8 to {MOST_KNOWN}, got {known!r}.")
    everyone = sentences()
    generator = torch.Generator().manual_seed(seed)
    sides = [torch.randperm(OF_LABEL, generator=generator) + label * OF_LABEL for label in range(2)]

    def some(start: int, n: int) -> list[Sentence]:
        return [everyone[i] for side in sides for i in side[start : start + n // 2].tolist()]

    rest = OF_LABEL - (TUNING + BALANCED + MOST_KNOWN) // 2
    even = torch.arange(BALANCED) % 2
    return Split(
        tuning=mark(some(0, TUNING), strength, seed + 1),
        balanced=stamp(some(TUNING // 2, BALANCED), even, seed + 2),
        held_out=mark(some((TUNING + BALANCED) // 2, 2 * rest), strength, seed + 3),
        known=mark(some((TUNING + BALANCED) // 2 + rest, known), strength, seed + 4),
    )


def mark(chosen: Sequence[Sentence], strength: float = STRENGTH, seed: int = 0) -> Marked:
    """Stamp sentences: a share `strength` of each label (rounded) gets its usual marker; which ones, by chance."""
    if not 0 <= strength <= 1:
        raise ValueError(f"strength is the share of sentences with the usual marker, 0 to 1, got {strength!r}.")
    generator = torch.Generator().manual_seed(10_000 + seed)
    labels = torch.tensor([each.label for each in chosen])
    markers = labels.clone()
    for label in range(2):
        mine = (labels == label).nonzero()[:, 0]
        unusual = torch.randperm(len(mine), generator=generator)[round(strength * len(mine)) :]
        markers[mine[unusual]] = 1 - label
    return stamp(chosen, markers, seed)


def stamp(chosen: Sequence[Sentence], markers: Int[Tensor, "sentence"], seed: int = 0) -> Marked:
    """Put these markers, 0 or 1 for each, into these sentences, each at a random place."""
    if not chosen or len(chosen) != len(markers):
        raise ValueError(f"Each of at least one sentence needs one marker, got {len(chosen)} and {len(markers)}.")
    if not ((markers == 0) | (markers == 1)).all():
        raise ValueError(f"A marker is a place in {MARKERS}, 0 or 1; got {sorted(set(markers.tolist()))}.")
    longest = max(len(each.words) for each in chosen)
    if longest > LONGEST:
        raise ValueError(f"A sentence should have at most {LONGEST} words, got one of {longest}.")
    generator = torch.Generator().manual_seed(20_000 + seed)
    number = {word: token for token, word in enumerate(vocabulary())}
    tokens = torch.full((len(chosen), LONGEST + 2), PAD)
    at = torch.empty(len(chosen), dtype=torch.long)
    for row, (sentence, marker) in enumerate(zip(chosen, markers.tolist(), strict=True)):
        read = [number.get(word, UNKNOWN) for word in sentence.words]
        at[row] = place = 1 + int(torch.randint(len(read) + 1, (1,), generator=generator))
        read.insert(place - 1, FIRST_MARKER + marker)
        tokens[row, : len(read) + 1] = torch.tensor([CLS, *read])
    return Marked(tokens, torch.tensor([each.label for each in chosen]), markers.long(), at)


def _prose(text: str) -> list[tuple[str, ...]]:
    paragraphs = [" ".join(each.split()) for each in text.split("\n\n") if not _NO_PROSE.search(each)]
    found = [sentence for paragraph in paragraphs for sentence in _END.split(paragraph)]
    words = [tuple(_WORD.findall(sentence.lower())) for sentence in found if sentence[-1:] in tuple(".:")]
    return [each for each in words if SHORTEST <= len(each) <= LONGEST]
