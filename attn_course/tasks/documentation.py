"""Real text: Python's own documentation, character by character, with topics held out that a model never reads.

What `help("for")` shows in CPython 3.11.7, 79 topics, frozen here because it differs from release to release.
Copyright © 2001-2023 Python Software Foundation; All Rights Reserved; under the PSF License Version 2, which stands
in data/LICENSE-python.txt beside the text.

The documentation repeats itself: the topic "for" stands in "compound" once more, word for word, indented or wrapped
another way. A model that has read "compound" would seem to foresee "for". So every paragraph is kept once, and
none of the held-out text, spaces aside, stands anywhere in the training text.
"""

import functools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import resources

import torch
from jaxtyping import Float, Int
from torch import Tensor

TEXT = "python_topics_3.11.7.json"
# Fifteen of the 79, drawn by chance.
HELD_OUT = (
    "atom-identifiers",
    "attribute-references",
    "bltin-null-object",
    "bltin-type-objects",
    "comparisons",
    "exceptions",
    "execmodel",
    "integers",
    "lists",
    "naming",
    "shifting",
    "slicings",
    "try",
    "typesseq",
    "while",
)


@dataclass(frozen=True)
class Documentation:
    """Two texts that share no paragraph."""

    train: str
    held_out: str
    characters: str  # all that occur in either, sorted: the vocabulary


@functools.cache
def documentation() -> Documentation:
    """The text to learn from (331,000 characters), the text to be tested on (42,000), and their characters."""
    topics = json.loads((resources.files("attn_course.tasks") / "data" / TEXT).read_text(encoding="utf-8"))
    train = _once(topics[name] for name in sorted(topics) if name not in HELD_OUT)
    held_out = _once((topics[name] for name in HELD_OUT), known=spaced("\n\n".join(train)))
    texts = "\n\n".join(train), "\n\n".join(held_out)
    return Documentation(*texts, characters="".join(sorted(set("".join(texts)))))


def spaced(text: str) -> str:
    """The text with every run of spaces and line ends as one space: indented or not, it is the same paragraph."""
    return " ".join(text.split())


def encode(text: str) -> Int[Tensor, "token"]:
    """Characters → tokens, the places in `documentation().characters`. Raises ValueError for a strange character."""
    table = _table()
    strange = [character for character in text if character not in table]
    if strange:
        raise ValueError(
            f"{strange[0]!r} does not occur in the documentation, so the vocabulary of {len(table)} characters has "
            "no token for it. Leave it out, or write it another way."
        )
    return torch.tensor([table[character] for character in text], dtype=torch.long)


def decode(tokens: Int[Tensor, "token"]) -> str:
    """Tokens → characters: the inverse of `encode`."""
    characters = documentation().characters
    return "".join(characters[token] for token in tokens.tolist())


def passages(
    tokens: Int[Tensor, "text"], generator: torch.Generator, batch: int = 32, length: int = 129
) -> Int[Tensor, "batch token"]:
    """Draw passages of a text, each from a random place. One token more than the model's window: input and target."""
    if length > len(tokens):
        raise ValueError(f"The text has {len(tokens)} tokens, so no passage of {length} can be drawn from it.")
    starts = torch.randint(len(tokens) - length + 1, (batch, 1), generator=generator)
    return tokens[starts + torch.arange(length)]


@torch.no_grad()
def surprise(
    predict: Callable[[Int[Tensor, "batch token"]], Float[Tensor, "batch token vocabulary"]],
    tokens: Int[Tensor, "text"],
    window: int = 128,
    stride: int = 64,
) -> Float[Tensor, "predicted"]:
    """Bits for each token of a text but the first, as a model predicts it from the tokens before it.

    The model reads windows of `window` tokens that begin every `stride` tokens, and only what no earlier window has
    predicted counts. So each token is predicted from at least window − stride tokens (but for the first window's),
    and from `window` at most. stride = window is the cheap way, in which some tokens have a single one before them.
    """
    if not 1 <= stride <= window < len(tokens):
        raise ValueError(
            f"1 ≤ stride ≤ window < length of the text is needed, got stride={stride}, window={window} and a text of "
            f"{len(tokens)} tokens."
        )
    last = len(tokens) - 1 - window  # where the last full window begins
    starts = torch.tensor([*range(0, last, stride), last])
    bits = torch.empty(len(tokens) - 1)
    for chunk in starts.flip(0).split(64):  # backwards: earlier windows, with more before a token, write over later
        read = tokens[chunk[:, None] + torch.arange(window + 1)]  # (batch, window + 1)
        logp = predict(read[:, :-1]).log_softmax(dim=-1)
        found = -logp.gather(-1, read[:, 1:, None])[..., 0] / torch.tensor(2.0).log()  # (batch, window)
        for start, row in zip(chunk.tolist(), found, strict=True):
            bits[start : start + window] = row
    return bits


@functools.cache
def _table() -> dict[str, int]:
    return {character: token for token, character in enumerate(documentation().characters)}


def _once(topics: Iterable[str], known: str = "") -> list[str]:
    """The topics' paragraphs, each once, without those that stand in `known`."""
    paragraphs = {}
    for topic in topics:
        for paragraph in topic.split("\n\n"):
            key = spaced(paragraph)
            if key and key not in known:
                paragraphs.setdefault(key, paragraph)
    return list(paragraphs.values())
