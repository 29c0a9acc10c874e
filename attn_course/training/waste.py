"""Two models whose parts are taken out, and what each has to lose: the subjects of the experiments on waste.

"MiniLM"     a real encoder, and paragraphs that should lie near those of their own topic (`tasks.topics`): nats
"language"   the course's language model, and text that it should foresee: bits a character

Each on two parts of its text: "choose" is there to choose by what goes, "held out" to say what it costs. The language
model has been trained on what it chooses by.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from attn_course.attention import causal, padding
from attn_course.models.pretrained import load
from attn_course.models.sentences import embed, pooled, sentences
from attn_course.tasks.documentation import documentation, encode, passages
from attn_course.tasks.topics import nearest, ranked, topic_loss, topic_paragraphs
from attn_course.training.checkpoints import trained
from attn_course.training.recipes.language import WINDOW

MODELS, PARTS = ("MiniLM", "language"), ("choose", "held out")
TOKENS, PASSAGES = 64, 128  # of a paragraph at most; of the language model's text, for each part


@dataclass(frozen=True)
class Subject:
    """A model, and what it loses."""

    name: str
    model: nn.Module
    unit: str  # of the loss
    inputs: Callable[[str], tuple]  # part → tokens (text, token), which are kept (text, token), who may look at whom
    scored: Callable[[Tensor, str], Float[Tensor, "text"]]  # outputs of a part → the loss of each text
    drift: Callable[[Tensor, str], Float[Tensor, "text"]]  # how far they are from the whole model's; needs no truth
    also: Callable[[Tensor, str], dict[str, float]]  # outputs of a part → what else is worth knowing

    def given(self, part: str) -> tuple:
        """`inputs` of a part that there is."""
        if part not in PARTS:
            raise ValueError(f"part should be one of {', '.join(map(repr, PARTS))}; got {part!r}.")
        return self.inputs(part)

    def losses(self, model: nn.Module, part: str) -> Float[Tensor, "text"]:
        """Of each text. Gradients flow. Raises ValueError for a part that is not one of `PARTS`."""
        tokens, _, visible = self.given(part)
        return self.scored(model(tokens, visible=visible), part)

    @torch.no_grad()
    def figures(self, model: nn.Module, part: str) -> dict[str, float]:
        """The mean "loss" and "drift", and what else is worth knowing. Raises ValueError as `losses` does."""
        tokens, _, visible = self.given(part)
        return self.figures_of(model(tokens, visible=visible), part)

    def figures_of(self, outputs: Tensor, part: str) -> dict[str, float]:
        """The same from a part's outputs."""
        means = {name: getattr(self, way)(outputs, part) for name, way in (("loss", "scored"), ("drift", "drift"))}
        return {name: each.mean().item() for name, each in means.items()} | self.also(outputs, part)


@cache
def subject(name: str) -> Subject:
    """One of `MODELS`; ValueError for another name."""
    if name not in MODELS:
        raise ValueError(f"The models are {' and '.join(MODELS)}, got {name!r}.")
    return _minilm() if name == "MiniLM" else _language()


def _minilm() -> Subject:
    """Drift: 1 − cosine with the whole model's vector. Besides: "nearest", "ranked" (`tasks.topics`)."""
    minilm = load()
    parts = {part: topic_paragraphs(part) for part in PARTS}
    texts = {part: sentences(minilm, parts[part].texts, TOKENS) for part in PARTS}

    @cache
    def whole(part: str) -> Tensor:
        with torch.no_grad():
            return embed(minilm.model, texts[part])

    def vectors(outputs: Tensor, part: str) -> Tensor:
        return pooled(outputs, texts[part].keep)

    def also(outputs: Tensor, part: str) -> dict[str, float]:
        found, topics = vectors(outputs, part), parts[part].topics
        return {
            "nearest": nearest(found, topics).float().mean().item(),
            "ranked": ranked(found, topics).mean().item(),
        }

    return Subject(
        "MiniLM",
        minilm.model,
        "nats",
        inputs=lambda part: (texts[part].tokens, texts[part].keep, padding(texts[part].keep)),
        scored=lambda outputs, part: topic_loss(vectors(outputs, part), parts[part].topics),
        drift=lambda outputs, part: 1 - (vectors(outputs, part) * whole(part)).sum(-1),
        also=also,
    )


def _language() -> Subject:
    """Drift: the divergence KL(whole ‖ pruned) of what is foretold, in bits a character."""
    texts = {part: _passages(part) for part in PARTS}
    model = trained("language")

    @cache
    def whole(part: str) -> Tensor:
        with torch.no_grad():
            return model(texts[part][:, :-1]).log_softmax(-1)

    def drift(outputs: Tensor, part: str) -> Tensor:
        nats = F.kl_div(outputs.log_softmax(-1), whole(part), reduction="none", log_target=True)
        return nats.sum(-1).mean(-1) / math.log(2)

    def inputs(part: str) -> tuple:
        read = texts[part][:, :-1]
        return read, torch.ones_like(read, dtype=torch.bool), causal

    def scored(outputs: Tensor, part: str) -> Tensor:
        nats = F.cross_entropy(outputs.transpose(1, 2), texts[part][:, 1:], reduction="none")
        return nats.mean(-1) / math.log(2)

    return Subject("language", model, "bits a character", inputs, scored, drift, lambda outputs, part: {})


@cache
def _passages(part: str) -> Int[Tensor, "text token"]:
    text = documentation()
    tokens = encode(text.train if part == "choose" else text.held_out)
    return passages(tokens, torch.Generator().manual_seed(PARTS.index(part)), PASSAGES, WINDOW + 1)


def spearman(a: Float[Tensor, "one"], b: Float[Tensor, "one"]) -> float:
    """Rank correlation: −1 opposite orders, 1 the same; equal values share their mean rank. NaN if all are equal.

    Raises ValueError unless there are as many values on both sides, two at least, and no NaN.
    """
    if a.numel() != b.numel() or a.numel() < 2 or a.isnan().any() or b.isnan().any():
        raise ValueError(
            f"Ranks are compared of two or more pairs of numbers, none of them NaN; got {a.numel()} and {b.numel()}."
        )
    ranks = torch.stack([_ranks(a), _ranks(b)])
    return torch.corrcoef(ranks)[0, 1].item()


def _ranks(x: Tensor) -> Float[Tensor, "one"]:
    flat = x.flatten().double()
    below, equal = (flat[:, None] > flat).sum(1), (flat[:, None] == flat).sum(1)
    return below + (equal - 1) / 2


def resampled(statistic: Callable[[Int[Tensor, "text"]], float], texts: int, draws: int = 1000) -> list[float]:
    """The middle 95 % of a statistic when the texts are drawn anew, with replacement: [low, high] (Efron 1979).

    Raises ValueError for no text, or no draw.
    """
    if texts < 1 or draws < 1:
        raise ValueError(f"At least one text should be drawn, at least once; got texts={texts}, draws={draws}.")
    generator = torch.Generator().manual_seed(0)
    found = [statistic(torch.randint(texts, (texts,), generator=generator)) for _ in range(draws)]
    low, high = torch.tensor(found, dtype=torch.float64).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64))
    return [low.item(), high.item()]
