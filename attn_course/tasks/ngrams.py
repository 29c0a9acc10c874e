"""Models of text that count and nothing else: what a neural network has to beat.

An n-gram model predicts a character from the n − 1 before it, by how often it followed them. Where it has seen little
it asks the model of one character less, and so on down to "all characters alike". How much it asks is Witten and
Bell's rule (1991; Chen and Goodman 1998, section 2.4): as much as the context has surprised it so far,

    P(c | context) = (count(context, c) + kinds(context) · P(c | shorter context)) / (count(context) + kinds(context))

with kinds(context), the number of different characters that were seen to follow it.
"""

import bz2
import gzip
import lzma
import math
from collections import Counter, defaultdict
from collections.abc import Callable

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


class NGram:
    """An interpolated n-gram model with Witten and Bell's weights.

    order        how many characters it counts together: 1 unigram, 2 bigram, 3 trigram
    characters   the vocabulary; no other character can be asked for
    """

    def __init__(self, text: str, order: int, characters: str):
        if order < 1:
            raise ValueError(f"An n-gram counts at least single characters: order should be 1 or more, got {order}.")
        strange = set(text) - set(characters)
        if strange:
            raise ValueError(f"The text holds {min(strange)!r}, which is not among the {len(characters)} characters.")
        self.order, self.characters = order, characters
        self.follows: dict[str, Counter] = defaultdict(Counter)  # context → how often each character came after it
        for at, character in enumerate(text):
            for length in range(min(order, at + 1)):
                self.follows[text[at - length : at]][character] += 1
        self.seen = {context: counts.total() for context, counts in self.follows.items()}

    def probability(self, character: str, context: str) -> float:
        """P(character | the last order − 1 characters of `context`). Sums to one over `characters`."""
        share = 1 / len(self.characters)
        for length in range(self.order):  # from no context to the longest
            if length > len(context):
                break
            counts = self.follows.get(context[len(context) - length :])
            if counts is None:  # then no longer context was seen either
                break
            kinds = len(counts)
            share = (counts[character] + kinds * share) / (self.seen[context[len(context) - length :]] + kinds)
        return share

    def surprise(self, text: str) -> list[float]:
        """Bits for each character of `text` but the first, given all that stands before it."""
        context = self.order - 1
        return [-math.log2(self.probability(text[at], text[max(0, at - context) : at])) for at in range(1, len(text))]


def compressed_bits(compressor: str, known: str, text: str) -> float:
    """Bits a character that a compressor needs for `text` when it has just read `known`: the growth of its output.

    gzip remembers 32 kB, bz2 900 kB, xz all of it. Characters are bytes in UTF-8.
    """
    if compressor not in COMPRESSORS:
        raise ValueError(f"compressor should be one of {', '.join(COMPRESSORS)}, got {compressor!r}.")
    compress = COMPRESSORS[compressor]
    growth = len(compress((known + text).encode())) - len(compress(known.encode()))
    return 8 * growth / len(text)
