"""A text as one vector: the mean of its tokens' last vectors, scaled to length 1, as all-MiniLM-L6-v2 was trained.

texts = sentences(load(), ["The cat sat.", "A cat was sitting."])
a, b = embed(load().model, texts)
a @ b                               # their cosine
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from attn_course.attention import padding
from attn_course.models.pretrained import MiniLM, check_length, check_not_empty


@dataclass(frozen=True)
class Sentences:
    """Texts as tokens, the shorter ones filled up. keep: False where filled."""

    tokens: Int[Tensor, "text token"]
    keep: Bool[Tensor, "text token"]

    def __len__(self) -> int:
        return len(self.tokens)


def sentences(minilm: MiniLM, texts: Sequence[str], most: int = 128) -> Sentences:
    """The texts, each cut to `most` tokens with its [SEP] kept.

    128 is the length that the model was trained at. Raises ValueError for no text, an empty one, a bare string, or a
    `most` that the model does not hold or that leaves no room for a word.
    """
    if isinstance(texts, str):
        raise ValueError(f"Give a list of texts, [{texts[:20]!r}, …], or each letter would be one.")
    check_length(most, minilm.model.stack.positions.table.num_embeddings, minilm.name)
    if most < 3:
        raise ValueError(f"[CLS], a token and [SEP] need room for 3, got most={most}.")
    if not texts:
        raise ValueError("Give at least one text.")
    rows = []
    for text in texts:
        check_not_empty(text)
        ids = minilm.tokenizer.encode(text).ids
        rows.append(ids if len(ids) <= most else ids[: most - 1] + ids[-1:])
    longest = max(map(len, rows))
    keep = torch.tensor([[True] * len(ids) + [False] * (longest - len(ids)) for ids in rows])
    return Sentences(torch.tensor([ids + [0] * (longest - len(ids)) for ids in rows]), keep)


def embed(model: nn.Module, texts: Sentences) -> Float[Tensor, "text d_model"]:
    """One vector of length 1 for each text. Gradients flow: look with torch.no_grad() if none are wanted."""
    return pooled(model(texts.tokens, padding(texts.keep)), texts.keep)


def pooled(states: Float[Tensor, "text token d_model"], keep: Bool[Tensor, "text token"]) -> Float[Tensor, "text d"]:
    """The mean over the tokens that are kept, scaled to length 1."""
    kept = keep[..., None].to(states.dtype)
    return nn.functional.normalize((states * kept).sum(1) / kept.sum(1), dim=-1)
