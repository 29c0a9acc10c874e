"""Sentences whose ties are known: which word modifies, governs or stands for which, to hold heads of a model against.

Every sentence is built from one pattern, so its ties come with it and no parser is needed. Fillers of random length
stand between the tied words, so that no fixed distance finds a tie for free. The two halves share the pattern and the
small words ("the", "because", "she"), but no noun, verb or adjective: choose a head on one half, score it on the other.

Source of the idea, and of the fixed offset as the rival: Clark et al. 2019, "What Does BERT Look At?", section 4.2
(arXiv:1906.04341), on parsed news instead of patterns.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

KINDS = ("determiner", "modifier", "object", "subject", "pronoun")
HALVES = ("choose", "score")

_MEN = {
    "choose": ("waiter", "king", "uncle", "monk", "father"),
    "score": ("actor", "prince", "brother", "butler", "priest"),
}
_WOMEN = {
    "choose": ("queen", "actress", "aunt", "sister", "widow"),
    "score": ("waitress", "princess", "mother", "nun", "bride"),
}
_THINGS = {
    "choose": ("cup", "key", "lamp", "chair", "ladder", "mirror", "drum", "hammer", "coat", "knife"),
    "score": ("box", "door", "letter", "bottle", "basket", "wagon", "table", "blanket", "ring", "rope"),
}
_ADJECTIVES = {
    "choose": ("old", "red", "quiet", "broken", "tall", "bright", "gentle", "famous", "strange", "warm"),
    "score": ("small", "black", "heavy", "clever", "cold", "dirty", "narrow", "empty", "green", "friendly"),
}
_VERBS = {
    "choose": ("dropped", "carried", "painted", "moved", "cleaned", "watched", "hid", "bought"),
    "score": ("found", "lost", "wanted", "sold", "noticed", "opened", "broke", "touched"),
}
_STATES = {"choose": ("new", "late", "wet", "light"), "score": ("beautiful", "slow", "cheap", "dangerous")}
_DEEDS = {"choose": ("thanked", "saw", "called"), "score": ("left", "met", "paid")}
_REASONS = {"choose": ("late", "tired", "kind"), "score": ("angry", "alone", "ready")}
_OPENINGS = ((), ("yesterday",), ("in", "the", "morning"), ("after", "lunch"))
_BEFORE_VERB = ((), ("quickly",), ("at", "last"), ("near", "the", "river"))
_AFTER_OBJECT = ((), ("there",), ("in", "the", "garden"))


@dataclass(frozen=True)
class TiedSentence:
    """Words, and for each kind of tie the positions (from, to) of its two words: {"object": (verb, noun), …}."""

    words: tuple[str, ...]
    ties: dict[str, tuple[int, int]]
    twin_word: str  # the other pronoun
    twin_to: int  # and what it stands for

    @property
    def text(self) -> str:
        return " ".join(self.words) + "."

    @property
    def twin(self) -> "TiedSentence":
        """The same sentence with the other pronoun, so with the other antecedent. Nothing else differs."""
        at, to = self.ties["pronoun"]
        words = (*self.words[:at], self.twin_word, *self.words[at + 1 :])
        return replace(
            self,
            words=words,
            ties=self.ties | {"pronoun": (at, self.twin_to)},
            twin_word=self.words[at],
            twin_to=to,
        )


def tied_sentences(n: int, half: str, seed: int = 0) -> list[TiedSentence]:
    """Draw n sentences of one half, "choose" or "score"; each has one tie of every kind in KINDS.

    determiner  "the" → its noun, 2 to 4 words on         subject   verb → its subject, 1 to 4 words back
    modifier    first adjective → its noun, 1 to 3 on     pronoun   "he", "she", "it" → its antecedent, 3 to 13 back
    object      verb → its object, 2 to 4 on
    """
    return _draw(_sentence, n, half, seed)


def tied_couples(n: int, half: str, seed: int = 0) -> list[TiedSentence]:
    """Draw n sentences about a man and a woman ("the king thanked the queen because she was late").

    Their one tie is the pronoun's. Which of the two persons stands first is drawn, and so is the pronoun.
    """
    return _draw(_couple, n, half, seed)


def owners(tokens: Sequence[str], words: Sequence[str]) -> list[int | None]:
    """For each token the number of the word that it is a piece of; None for [CLS], [SEP] and punctuation.

    Pieces are joined as WordPiece splits them ("##" marks a continuation). Raises ValueError if the words do not come
    out of the tokens in their order.
    """
    found, word, left = [], -1, ""
    for token in tokens:
        piece = token.removeprefix("##")
        if not left and word + 1 < len(words) and words[word + 1].startswith(piece):
            word, left = word + 1, words[word + 1]
        belongs = bool(left) and left.startswith(piece)
        left = left[len(piece) :] if belongs else left
        found.append(word if belongs else None)
    if word + 1 < len(words) or left:
        missing = words[min(word + 1, len(words) - 1)]
        raise ValueError(f"The tokens do not spell the words: {missing!r} is missing in {' '.join(tokens)}.")
    return found


def word_weights(
    weights: Float[Tensor, "*heads token token"], owner: Sequence[int | None]
) -> Float[Tensor, "*heads word word_or_none"]:
    """Weights between words: attention *to* a word is the sum over its pieces, *from* a word the mean over them.

    The last column holds what goes to no word at all: [CLS], [SEP] and punctuation together, so that rows still sum to
    one. (Sum and mean as in Clark et al. 2019, section 4.1.)
    """
    n = max(o for o in owner if o is not None) + 1
    pieces = torch.zeros(n + 1, len(owner), dtype=weights.dtype)  # (word or none, token)
    for token, word in enumerate(owner):
        pieces[n if word is None else word, token] = 1
    mean = pieces[:n] / pieces[:n].sum(dim=-1, keepdim=True)
    return mean @ weights @ pieces.T


def head_accuracy(
    maps: Sequence[Float[Tensor, "*heads word word_or_none"]],
    ties: Sequence[tuple[int, int]],
    words_only: bool = True,
) -> Float[Tensor, "*heads"]:
    """How often each head's largest weight in row `from` falls on `to`; one map (of `word_weights`) for each tie.

    words_only   the word itself and what is no word are left out of the contest, as in Clark et al. 2019; if False,
                 they take part, and a head that mostly looks at [CLS] finds nothing.
    """
    if len(maps) != len(ties) or not ties:
        raise ValueError(f"There should be one tie for each map, got {len(ties)} ties and {len(maps)} maps.")
    hits = torch.stack([_winner(m, at, words_only) == to for m, (at, to) in zip(maps, ties, strict=True)])
    return hits.float().mean(dim=0)


def best_offset(ties: Sequence[tuple[int, int]]) -> int:
    """The distance (to − from) that is right most often: the rule without a model that a head has to beat."""
    return Counter(to - at for at, to in ties).most_common(1)[0][0]


def offset_accuracy(ties: Sequence[tuple[int, int]], offset: int) -> float:
    """How often the tied word stands exactly `offset` words on."""
    return sum(to - at == offset for at, to in ties) / len(ties)


def _draw(pattern: Callable[[random.Random, str], TiedSentence], n: int, half: str, seed: int) -> list[TiedSentence]:
    if half not in HALVES:
        raise ValueError(f"half should be one of {' and '.join(HALVES)}, got {half!r}.")
    if n < 1:
        raise ValueError(f"n counts sentences, so it should be at least 1, got {n}.")
    rng = random.Random(f"{half} {seed}")
    return [pattern(rng, half) for _ in range(n)]


def _winner(weights: Tensor, at: int, words_only: bool) -> Tensor:
    row = weights[..., at, :].clone()
    if words_only:
        row[..., at] = -1
        row = row[..., :-1]
    return row.argmax(dim=-1)


def _sentence(rng: random.Random, half: str) -> TiedSentence:
    person, thing = rng.choice(_MEN[half] + _WOMEN[half]), rng.choice(_THINGS[half])
    adjectives = rng.sample(_ADJECTIVES[half], 5)  # no adjective twice in a sentence
    words = [*rng.choice(_OPENINGS), "the"]
    at = {"the": len(words) - 1, "adjective": len(words)}
    words += [*adjectives[: rng.randint(1, 3)], person]
    at["person"] = len(words) - 1
    words += [*rng.choice(_BEFORE_VERB), rng.choice(_VERBS[half])]
    at["verb"] = len(words) - 1
    words += ["the", *adjectives[3 : 3 + rng.randint(0, 2)], thing]
    at["thing"] = len(words) - 1
    words += [*rng.choice(_AFTER_OBJECT), "because", "it", "was", rng.choice(_STATES[half])]
    at["pronoun"] = len(words) - 3
    ties = {
        "determiner": (at["the"], at["person"]),
        "modifier": (at["adjective"], at["person"]),
        "object": (at["verb"], at["thing"]),
        "subject": (at["verb"], at["person"]),
        "pronoun": (at["pronoun"], at["thing"]),
    }
    pronoun = "he" if person in _MEN[half] else "she"
    sentence = TiedSentence(tuple(words), ties, twin_word=pronoun, twin_to=at["person"])
    return rng.choice((sentence, sentence.twin))


def _couple(rng: random.Random, half: str) -> TiedSentence:
    man, woman = rng.choice(_MEN[half]), rng.choice(_WOMEN[half])
    one, other = rng.sample((man, woman), 2)
    verb, reason = rng.choice(_DEEDS[half]), rng.choice(_REASONS[half])
    words = ("the", one, verb, "the", other, "because", "he", "was", reason)
    him, her = words.index(man), words.index(woman)
    sentence = TiedSentence(words, {"pronoun": (6, him)}, twin_word="she", twin_to=her)
    return rng.choice((sentence, sentence.twin))
