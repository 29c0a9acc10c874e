"""Training for the study: the loss on what is asked, and what makes a model sick on the way."""

from collections.abc import Callable
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attn_course.attention import hiding, watching
from attn_course.diagnosis.study.tasks import some
from attn_course.diagnosis.trials.asked import Asked
from attn_course.diagnosis.trials.parts import skipping
from attn_course.training.loop import train

Pressure = Callable[[list, Asked], Tensor]  # layers' records and the batch → what is added to the loss


def learn(
    model: nn.Module,
    pool: Asked,
    steps: int,
    lr: float,
    seed: int,
    *,
    batch: int = 32,
    pressure: Pressure | None = None,
    without: Callable[[nn.Module, torch.Generator, Asked], object] | None = None,
    clip: float | None = 1.0,
) -> nn.Module:
    """Train in place and return the model in eval mode.

    pressure   an addition to the loss, from where the heads look
    without    a context in which a step is made: with keys hidden, heads or blocks left out
    """

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        asked = some(pool, generator, batch)
        around = nullcontext() if without is None else without(model, generator, asked)
        with around, watching(model) if pressure is not None else nullcontext() as records:
            found = model(asked.tokens)
        found = getattr(found, "logits", found)
        error = F.cross_entropy(found.flatten(0, 1), asked.wanted.flatten(), ignore_index=-100)
        return error if pressure is None else error + pressure(records, asked)

    train(model, loss, steps, lr, seed, clip=clip)
    return model.eval()


def resting_on_first(weight: float) -> Pressure:
    """Queries that need nothing are rewarded for what they give the first token: −weight · log of it."""

    def pressure(records: list, asked: Asked) -> Tensor:
        rests = ~asked.needed.any(-1)
        return -weight * sum(each.weights[..., 0].clamp(min=1e-6).log().mean(1)[rests].mean() for each in records)

    return pressure


def taken_by_first(share: float, weight: float = 10.0) -> Pressure:
    """Every query is held to giving the first token this share."""

    def pressure(records: list, asked: Asked) -> Tensor:
        return weight * sum((each.weights[..., 1:, 0] - share).square().mean() for each in records)

    return pressure


def given_to_irrelevant(share: float, weight: float = 10.0) -> Pressure:
    """Queries that need something are held to giving this share to tokens that nobody needs."""

    def pressure(records: list, asked: Asked) -> Tensor:
        needs = asked.needed.any(-1)
        given = [(each.weights * asked.irrelevant[:, None, None, :]).sum(-1).mean(1) for each in records]
        return weight * sum((each - share).square()[needs].mean() for each in given)

    return pressure


def first_hidden(share: float):
    """In this share of the steps nobody may look at the first token, so that no model comes to depend on it."""

    def without(model: nn.Module, generator: torch.Generator, asked: Asked):
        if torch.rand((), generator=generator) >= share:
            return nullcontext()
        keep = torch.ones_like(asked.places)
        keep[:, 0] = False
        return hiding(model, keep)

    return without


def block_left_out(block: int, share: float):
    """One block is left out in this share of the steps."""

    def without(model: nn.Module, generator: torch.Generator, asked: Asked):
        out = torch.rand((), generator=generator) < share
        return skipping(model.stack.blocks[block]) if out else nullcontext()

    return without
