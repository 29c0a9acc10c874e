"""Number words, English to German, from a grammar: so what stands for what is known, word for word.

    three hundred and forty two thousand         drei hundert zwei und vierzig tausend

The two languages count alike with one exception, the last two digits: "forty two" is "two and forty" in German. That
is where alignments cross. And German says an "und" there that nothing in English answers to.

Some English words have a double (`DOUBLES`), and which of the two stands in a sentence is drawn, as is the "and" after
hundreds. All doubles are real English words for their number, used here more freely than anybody would.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

LAST = 999_999
PAD, BOS, EOS = 0, 1, 2  # filler, in both languages; and in German the word before the first, and after the last
LONGEST = 12  # tokens: the longest sentence of either language, with its BOS or EOS

# fmt: off
_UNITS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
          "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_EINER = ("ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf", "dreizehn",
          "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn")
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ZEHNER = ("zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig")
# fmt: on

DOUBLES = {
    "one": "a",  # only as the first word, before "hundred" or "thousand"
    "two": "twain",
    "three": "trio",
    "twelve": "dozen",
    "twenty": "score",
    "thousand": "grand",
}
COUNTED = (("hundred",), ("thousand",), ("grand",))
SOURCE = ("<pad>", *_UNITS, *_TENS, "hundred", "thousand", "and", *DOUBLES.values())
TARGET = ("<pad>", "<bos>", "<eos>", *_EINER, "eins", *_ZEHNER, "hundert", "tausend", "und")

Link = tuple[int, int]  # (place of the German word, place of the English word)


@dataclass(frozen=True)
class Pair:
    """A number in both languages, and which word stands for which.

    sure       links that everyone would draw; every German word but "und" has exactly one
    possible   those, and the links from "und" to the two words that it joins, which nobody is blamed for
    """

    number: int
    source: tuple[str, ...]
    target: tuple[str, ...]
    sure: frozenset[Link]
    possible: frozenset[Link]

    def __str__(self) -> str:
        return f"{' '.join(self.source)} → {' '.join(self.target)}"


@dataclass(frozen=True)
class TranslationBatch:
    source: Int[Tensor, "batch key"]  # filled up with PAD
    target: Int[Tensor, "batch token"]  # BOS, the German words, EOS, then PAD

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, which) -> "TranslationBatch":
        return TranslationBatch(self.source[which], self.target[which])


class _Writer:
    """Both sides of one number as they are written, and the links between them."""

    def __init__(self, drawn: random.Random | None):
        self.drawn = drawn
        self.source: list[str] = []
        self.target: list[str] = []
        self.sure: set[Link] = set()
        self.possible: set[Link] = set()

    def chance(self) -> bool:
        return self.drawn is not None and self.drawn.random() < 0.5

    def english(self, word: str) -> int:
        """Write an English word, or its double; returns its place."""
        if word in DOUBLES and word != "one" and self.chance():
            word = DOUBLES[word]
        self.source.append(word)
        return len(self.source) - 1

    def german(self, word: str, place: int) -> None:
        """Write the German word that stands for the English word at `place`."""
        self.sure.add((len(self.target), place))
        self.target.append(word)

    def both(self, english: str, german: str) -> None:
        self.german(german, self.english(english))

    def counted(self, n: int, english: str, german: str) -> None:
        """A count below 1000 and what is counted: "a hundred", "two thousand"."""
        if n == 1:
            first = not self.source
            self.source.append("a" if first and self.chance() else "one")
            self.german("ein", len(self.source) - 1)
        else:
            self.below_1000(n)
        self.both(english, german)

    def below_100(self, n: int, last: bool) -> None:
        tens, units = divmod(n, 10)
        if n < 20:
            self.both(_UNITS[n - 1], "eins" if n == 1 and last else _EINER[n - 1])
        elif units == 0:
            self.both(_TENS[tens - 2], _ZEHNER[tens - 2])
        else:  # English says the tens first, German the units
            big, small = self.english(_TENS[tens - 2]), self.english(_UNITS[units - 1])
            self.german(_EINER[units - 1], small)
            self.possible |= {(len(self.target), big), (len(self.target), small)}
            self.target.append("und")
            self.german(_ZEHNER[tens - 2], big)

    def below_1000(self, n: int, last: bool = False, more: bool = False) -> None:
        """`last`: nothing follows, so 1 is "eins". `more`: something went before, so "and" may follow it."""
        hundreds, rest = divmod(n, 100)
        if hundreds:
            self.counted(hundreds, "hundred", "hundert")
        if rest and (hundreds or more) and self.chance():
            self.source.append("and")
        if rest:
            self.below_100(rest, last)


def pair(number: int, drawn: random.Random | None = None) -> Pair:
    """The number in both languages. `drawn` draws doubles and "and"; without it, there are none of either.

    Raises ValueError for what is no whole number from 1 to 999,999.
    """
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= LAST:
        raise ValueError(f"Numbers here are whole and go from 1 to {LAST:,}, got {number!r}.")
    writer = _Writer(drawn)
    thousands, rest = divmod(number, 1000)
    if thousands:
        writer.counted(thousands, "thousand", "tausend")
    writer.below_1000(rest, last=True, more=thousands > 0)
    sure = frozenset(writer.sure)
    return Pair(number, tuple(writer.source), tuple(writer.target), sure, sure | writer.possible)


def numbers(train: int = 4000, held_out: int = 1000, seed: int = 0) -> tuple[list[int], list[int]]:
    """Different numbers to train on and to be tested on; none is in both.

    As many numbers of two digits as of six are drawn, as far as there are so many. Raises ValueError if there are not.
    """
    if train < 0 or held_out < 0 or train + held_out > 100_000:
        raise ValueError(f"Ask for 0 to 100,000 numbers in all, got {train} and {held_out}.")
    rng = random.Random(seed)
    found: dict[int, None] = {}  # a set that keeps its order
    while len(found) < train + held_out:
        digits = rng.randint(1, 6)
        found[rng.randrange(10 ** (digits - 1), 10**digits)] = None
    every = list(found)
    rng.shuffle(every)  # or the small numbers, drawn early, would all be trained on
    return every[:train], every[train:]


def pairs(numbers: Iterable[int], seed: int = 0) -> list[Pair]:
    """Each number with doubles and "and" drawn for it; another seed draws others."""
    return [pair(number, random.Random(f"{seed} {number}")) for number in numbers]


def swapped(one: Pair, place: int) -> Pair | None:
    """The same sentence with the double of the English word at `place`; None if it has none there."""
    word = one.source[place]
    doubles = DOUBLES | {double: word for word, double in DOUBLES.items()}
    if word not in doubles or (word == "one" and (place or one.source[1:2] not in COUNTED)):
        return None
    source = (*one.source[:place], doubles[word], *one.source[place + 1 :])
    return Pair(one.number, source, one.target, one.sure, one.possible)


def batch_of(pairs: Sequence[Pair]) -> TranslationBatch:
    """Tokens of several pairs, filled up to the longest."""
    if not pairs:
        raise ValueError("There is no pair to make a batch of.")
    source = [[SOURCE.index(word) for word in one.source] for one in pairs]
    target = [[BOS, *(TARGET.index(word) for word in one.target), EOS] for one in pairs]
    return TranslationBatch(_filled(source), _filled(target))


def words(tokens: Int[Tensor, "token"] | Sequence[int], language: Sequence[str] = TARGET) -> tuple[str, ...]:
    """Tokens as words, up to the first EOS; without BOS and filler."""
    found = []
    for token in map(int, tokens):
        if language is TARGET and token == EOS:
            break
        if token != PAD and not (language is TARGET and token == BOS):
            found.append(language[token])
    return tuple(found)


def _filled(rows: list[list[int]]) -> Int[Tensor, "row token"]:
    longest = max(map(len, rows))
    return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])
