"""Which paragraphs are about the same thing? Python's documentation knows: those of one topic.

A truth for sentence vectors that needs no labelling: a paragraph's nearest neighbour should stand in its own topic.
Topics touch (lists and sequences, calls and functions), so nobody gets all right. The text is that of `documentation`.
"""

import functools
import json
from dataclasses import dataclass
from importlib import resources

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attn_course.tasks.documentation import TEXT, spaced

PARTS = ("choose", "held out")
LEAST, MOST = 2, 4  # paragraphs of a topic
CHARACTERS, LETTERS = 160, 0.85  # of a paragraph: how long at least, and how much of it letters and spaces
SHARPNESS = 20.0  # what cosines are multiplied by: as all-MiniLM-L6-v2 was trained


@dataclass(frozen=True)
class Paragraphs:
    """Paragraphs and the numbers of their topics, topic after topic."""

    texts: tuple[str, ...]
    topics: Int[Tensor, "text"]
    names: tuple[str, ...]  # of the topics


def topic_paragraphs(part: str = "held out") -> Paragraphs:
    """Two to four paragraphs of each topic; every other topic is for choosing by, the others are held out.

    A paragraph of prose, 160 characters or more, that stands in no other topic. Raises ValueError for another part.
    """
    if part not in PARTS:
        raise ValueError(f"part should be one of {', '.join(map(repr, PARTS))}; got {part!r}.")
    found = _by_topic()
    names = tuple(found)[PARTS.index(part) :: 2]
    pairs = [(number, text) for number, name in enumerate(names) for text in found[name]]
    topics, texts = zip(*pairs, strict=True)
    return Paragraphs(texts, torch.tensor(topics), names)


def topic_loss(
    vectors: Float[Tensor, "text d"], topics: Int[Tensor, "text"], sharpness: float = SHARPNESS
) -> Float[Tensor, "text"]:
    """−log of the share that a text's own topic gets in softmax(sharpness · cosine) over all other texts. In nats.

    vectors   of length 1

    Raises ValueError for a topic of a single text, and unless each topic has a vector.
    """
    _check(vectors, topics)
    scores = (sharpness * vectors @ vectors.T).masked_fill(_itself(topics), -torch.inf)
    return scores.logsumexp(-1) - scores.masked_fill(~_mates(topics), -torch.inf).logsumexp(-1)


def nearest(vectors: Float[Tensor, "text d"], topics: Int[Tensor, "text"]) -> Bool[Tensor, "text"]:
    """Is the nearest other text of the same topic? Raises ValueError if there is no other, or a NaN in a vector."""
    _check(vectors, topics)
    if len(topics) < 2 or vectors.isnan().any():
        raise ValueError(f"A nearest text takes two vectors at least, and no NaN in them; got {len(topics)} vectors.")
    cosines = (vectors @ vectors.T).masked_fill(_itself(topics), -torch.inf)
    return topics[cosines.argmax(-1)] == topics


def ranked(vectors: Float[Tensor, "text d"], topics: Int[Tensor, "text"]) -> Float[Tensor, "text"]:
    """Of all pairs (text of the same topic, text of another): the share in which the first is nearer. .5 by chance.

    NaN where a vector is. Raises ValueError for a topic of a single text, and if there is one topic alone.
    """
    _check(vectors, topics)
    cosines = vectors @ vectors.T
    mates, strangers = _mates(topics), topics[:, None] != topics
    if not strangers.any():
        raise ValueError("All texts are of one topic, so there are none of another to rank them against.")
    nearer = (cosines[:, :, None] > cosines[:, None, :]).to(vectors.dtype)  # (text, one, other)
    nearer += 0.5 * (cosines[:, :, None] == cosines[:, None, :]).to(vectors.dtype)
    pairs = mates[:, :, None] & strangers[:, None, :]
    share = (nearer * pairs).sum((-2, -1)) / pairs.sum((-2, -1))
    return share.where(~cosines.isnan().any(-1), torch.nan)


def _check(vectors: Tensor, topics: Tensor) -> None:
    if vectors.dim() != 2 or topics.shape != vectors.shape[:1]:
        raise ValueError(
            f"Each text has a vector and a topic: (text, d) and (text,); got {tuple(vectors.shape)} and "
            f"{tuple(topics.shape)}."
        )


def _itself(topics: Tensor) -> Bool[Tensor, "text text"]:
    return torch.eye(len(topics), dtype=torch.bool, device=topics.device)


def _mates(topics: Tensor) -> Bool[Tensor, "text text"]:
    """Who is of whose topic, oneself left out."""
    mates = (topics[:, None] == topics) & ~_itself(topics)
    if not mates.any(-1).all():
        raise ValueError("Every topic needs at least two texts, or a text has nothing to be near to.")
    return mates


@functools.cache
def _by_topic() -> dict[str, list[str]]:
    topics = json.loads((resources.files("attn_course.tasks") / "data" / TEXT).read_text(encoding="utf-8"))
    spread = {name: spaced(text) for name, text in topics.items()}
    found: dict[str, list[str]] = {}
    for name in sorted(topics):
        others = [text for other, text in spread.items() if other != name]
        for paragraph in dict.fromkeys(map(spaced, topics[name].split("\n\n"))):
            if _is_prose(paragraph) and not any(paragraph in text for text in others):
                found.setdefault(name, []).append(paragraph)
    return {name: texts[:MOST] for name, texts in found.items() if len(texts) >= LEAST}


def _is_prose(paragraph: str) -> bool:
    plain = sum(character.isalpha() or character == " " for character in paragraph)
    return len(paragraph) >= CHARACTERS and plain >= LETTERS * len(paragraph)
