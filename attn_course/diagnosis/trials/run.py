"""All trials on one model: `trials(model, asked)`."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attn_course.diagnosis.thresholds import KEYS_LEAST, RESTING, SINK_SHARE
from attn_course.diagnosis.trials.asked import Asked, losses
from attn_course.diagnosis.trials.looking import alike, looks_of, spreads
from attn_course.diagnosis.trials.parts import Looked, blocks_of, parts_of, skipping
from attn_course.diagnosis.trials.swaps import swaps_of
from attn_course.diagnosis.trials.tried import Cost, Eviction, Length, Pair, Skipped, Trials, Window

PAIRS_LEAST = 8  # rows with fewer keys to choose from do not count for how alike two heads are


@torch.no_grad()
def trials(model: nn.Module, asked: Asked, longer: Sequence[Asked] = ()) -> Trials:
    """Take keys, heads, blocks, context and kinds of tokens away, one at a time, and see what the answers cost.

    asked    a batch of questions; some hundred answers make a cost sure
    longer   the same kind of questions in longer rows

    The model is in eval mode meanwhile and as it was afterwards. What could not be tried stands in `untested`.
    """
    training = model.training
    model.eval()
    try:
        return _trials(model, asked, longer)
    finally:
        model.train(training)


def _trials(model: nn.Module, asked: Asked, longer: Sequence[Asked]) -> Trials:
    parts = parts_of(model)
    plain, looked = losses(model, asked), parts.looked(asked.tokens)
    evictions, others = _evictions(model, parts, asked, plain, looked)
    return Trials(
        answers=len(plain),
        tokens=asked.tokens.shape[1],
        loss=plain.mean().item(),
        guess=asked.guess,
        evictions=evictions,
        others=others,
        looks=() if asked.needed is None else looks_of(looked, asked),
        without_irrelevant=_without_irrelevant(model, parts, asked, plain),
        longer=tuple(_length(model, parts, each) for each in longer),
        pairs=_pairs(model, parts, asked, plain, looked),
        skipped=_skipped(model, parts, asked, plain),
        windows=_windows(model, parts, asked, plain),
        swaps=swaps_of(model, asked) if asked.once else (),
        untested=tuple(_untested(asked, longer)),
    )


def cost(after: Float[Tensor, "answer"], before: Float[Tensor, "answer"]) -> Cost:
    """What each answer costs more, mean and standard error."""
    more = (after - before).double()
    return Cost(more.mean().item(), (more.std() / len(more) ** 0.5).item() if len(more) > 1 else 0.0)


def _evictions(model, parts, asked: Asked, plain: Tensor, looked: list[Looked]):
    """Each key that some head rests on, and three others to compare with."""
    n = asked.tokens.shape[1]
    strongest: dict[int, tuple] = {}
    for layer, each in enumerate(looked):
        share = each.weights.mean((0, 2))  # (head, key)
        norm = each.value_norm.mean(0)  # (head, key)
        for head, key in enumerate(share.argmax(-1).tolist()):
            taken = share[head, key].item()
            others = torch.cat([norm[head, :key], norm[head, key + 1 :]])
            value = (norm[head, key] / others.median()).item() if len(others) else 1.0
            if taken > SINK_SHARE and taken > strongest.get(key, (0.0,))[0]:
                strongest[key] = (taken, value, layer, head)
    found = tuple(
        Eviction(key, *about, _evicted(model, parts, asked, plain, key)) for key, about in sorted(strongest.items())
    )
    rest = [key for key in (n // 4, n // 2, 3 * n // 4) if key not in strongest] if found else []
    return found, tuple(_evicted(model, parts, asked, plain, key) for key in rest)


def _evicted(model, parts, asked: Asked, plain: Tensor, key: int) -> Cost:
    """Without answers that need the key, and without the key's own."""
    keep = torch.ones_like(asked.tokens, dtype=torch.bool)
    keep[:, key] = False
    with parts.hidden(keep):
        after = losses(model, asked)
    counts = torch.ones_like(keep)
    counts[:, key] = False
    if asked.needed is not None:
        counts &= ~asked.needed[:, :, key]
    counts = counts[asked.places]
    return cost(after[counts], plain[counts]) if counts.any() else Cost(0.0, 0.0)


def _without_irrelevant(model, parts, asked: Asked, plain: Tensor) -> Cost | None:
    if asked.irrelevant is None:
        return None
    with parts.hidden(~asked.irrelevant):
        return cost(losses(model, asked), plain)


def _length(model, parts, asked: Asked) -> Length:
    loss = losses(model, asked).mean().item()
    looks = () if asked.needed is None else looks_of(parts.looked(asked.tokens), asked)
    return Length(asked.tokens.shape[1], loss, looks)


def _pairs(model, parts, asked: Asked, plain: Tensor, looked: list[Looked]) -> tuple[Pair, ...]:
    """Of each layer, the two heads most alike that do not both rest or spread evenly; else the two most alike."""
    found = []
    for layer, each in enumerate(looked):
        if each.weights.shape[1] < 2:
            continue
        bits = alike(each.weights, PAIRS_LEAST)  # (head, head)
        rests = (each.weights.mean((0, 2)).amax(-1) > RESTING) | spreads(each.weights, KEYS_LEAST)  # (head,)
        idle = rests[:, None] | rests
        order = (bits + 2.0 * idle).masked_fill(torch.eye(len(bits), dtype=torch.bool), torch.inf)
        one, two = divmod(int(order.argmin()), len(bits))
        costs = []
        for gives in ({one: two}, {one: None}, {one: None, two: None}):
            with parts.heads(layer, gives):
                costs.append(cost(losses(model, asked), plain))
        found.append(Pair(layer, one, two, bits[one, two].item(), bool(idle[one, two]), *costs))
    return tuple(found)


def _skipped(model, parts, asked: Asked, plain: Tensor) -> tuple[Skipped, ...]:
    found = []
    for number, block in enumerate(blocks_of(parts.model, parts.names)):
        with skipping(block):
            found.append(Skipped(number, cost(losses(model, asked), plain)))
    return tuple(found)


def _windows(model, parts, asked: Asked, plain: Tensor) -> tuple[Window, ...]:
    """Powers of two, up to half of the row."""
    n, found, w = asked.tokens.shape[1], [], 1
    while w <= n // 2:
        with parts.within(w):
            after = losses(model, asked)
        reach = (w - 1) * parts.passes
        found.append(Window(w, reach, cost(after, plain), _beyond(asked, reach)))
        w *= 2
    return tuple(found)


def _beyond(asked: Asked, reach: int) -> float | None:
    """The share of answers all of whose needed tokens lie further back than `reach`."""
    if asked.needed is None:
        return None
    at = torch.arange(asked.tokens.shape[1])
    near = (at[:, None] - at).abs() <= reach
    needs = asked.needed.any(-1)
    far = needs & ~(asked.needed & near).any(-1)
    return far[asked.places].double().mean().item()


def _untested(asked: Asked, longer: Sequence[Asked]) -> list[str]:
    said = []
    if asked.needed is None:
        said.append(
            "What a query needs was not declared: underload, overload and mass taken by a sink were not judged."
        )
    elif asked.irrelevant is None:
        said.append("No tokens were declared irrelevant: underload was not judged.")
    if not longer:
        said.append("No longer rows were given: overload at length was not judged.")
    if not asked.once:
        said.append("Rows ask for several answers: a shortcut on a token was not looked for.")
    return said
