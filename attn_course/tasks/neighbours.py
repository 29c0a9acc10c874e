"""Sentences of the documentation, each with the one that follows it in its paragraph: plain words, no code.

Real text for a question that has a direction: what in the first sentence brings it near the second?
"""

import re
from itertools import pairwise

from attn_course.tasks.documentation import documentation, spaced

PLAIN = re.compile(r"[A-Z][a-z ,-]+\.")
FEWEST, MOST = 8, 16  # words in a sentence


def neighbours(n: int = 20) -> list[tuple[str, str]]:
    """The first n pairs, at most one from a paragraph, those of the held-out topics first.

    Raises ValueError if there are not so many.
    """
    docs = documentation()
    found = []
    for paragraph in f"{docs.held_out}\n\n{docs.train}".split("\n\n"):
        sentences = re.split(r"(?<=\.) (?=[A-Z])", spaced(paragraph))
        pairs = [pair for pair in pairwise(sentences) if all(map(_plain, pair))]
        found += pairs[:1]
    if n > len(found):
        raise ValueError(f"The documentation has {len(found)} such pairs, asked for {n}.")
    return found[:n]


def _plain(sentence: str) -> bool:
    return FEWEST <= len(sentence.split()) <= MOST and PLAIN.fullmatch(sentence) is not None
