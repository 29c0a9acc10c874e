"""Three models of attention only that met repeating rows: two layers, one layer, and two that knew a single period.

The last only seems to look for what followed. It learned to reach a fixed number of tokens back, in two hops, and is
right nearly as often as the first as long as rows repeat every 32 tokens. (Periods 8 and 16 do that as well; it is
right in more than half of those, and in next to none of the others.)
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attn_course.attention import Learned, fused, watching
from attn_course.models.attention_only import attention_only
from attn_course.models.gpt import GPT
from attn_course.tasks.induction import (
    LENGTH,
    PERIODS,
    VOCABULARY,
    best,
    induction_batch,
    prefix_match,
    previous_token,
    repeat_accuracy,
)
from attn_course.training.checkpoints import Recipe
from attn_course.training.history import History
from attn_course.training.loop import train
from attn_course.training.schedules import warmup

D_MODEL, HEADS, STEPS, FIXED = 64, 4, 600, 32
OTHER = 20  # a period that the model of a fixed one has not met


def make(layers: int) -> GPT:
    """Tokens and positions begin small: from torch's standard normal ones, learning to look back took far longer."""
    model = attention_only(VOCABULARY, D_MODEL, HEADS, layers, positions=Learned(LENGTH, D_MODEL), mechanism=fused)
    nn.init.normal_(model.token.weight, std=0.02)  # as Learned begins
    return model


def fit(
    model: GPT, periods: int | tuple[int, int] = PERIODS, steps: int = STEPS, seed: int = 0, every: int = 20
) -> History:
    """Train to predict the next token, everywhere; `every` that many steps, measure as in `figures`."""

    def loss(model: GPT, generator: torch.Generator) -> Tensor:
        tokens = induction_batch(generator, periods=periods).tokens
        return F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())

    measure = partial(measured, periods=periods)
    return train(model, loss, steps, lr=3e-3, seed=seed, schedule=warmup(100), measure=measure, every=every)


@torch.no_grad()
def measured(model: GPT, periods: int | tuple[int, int], rows: int = 64) -> dict[str, float]:
    """Accuracy and loss at predictable places of new rows, and the best head's scores.

    prefix_match    the best of all heads: the induction head's, where there is one
    previous_token  the best of the first layer's heads: the one that an induction head above it builds on
    """
    batch = induction_batch(torch.Generator().manual_seed(1234), rows, periods)
    with watching(model) as records:
        scores = model(batch.tokens[:, :-1])  # (batch, place, vocabulary)
    where = batch.predictable
    return {
        "repeat_accuracy": repeat_accuracy(scores, batch),
        "repeat_loss": F.cross_entropy(scores[where], batch.tokens[:, 1:][where]).item(),
        "prefix_match": best(prefix_match(layer.weights, batch) for layer in records),
        "previous_token": best([previous_token(records[0].weights)]),
    }


def figures(model: GPT, periods: int | tuple[int, int] = PERIODS) -> dict[str, float]:
    """`measured` on 256 rows of the periods that it trained on, and its accuracy on rows of another: period 20."""
    return measured(model, periods, 256) | {"other_period": measured(model, OTHER, 256)["repeat_accuracy"]}


RECIPES = {
    "induction": Recipe(partial(make, 2), fit, figures),
    "induction-one-layer": Recipe(partial(make, 1), fit, figures),
    "induction-fixed-period": Recipe(partial(make, 2), partial(fit, periods=FIXED), partial(figures, periods=FIXED)),
}
