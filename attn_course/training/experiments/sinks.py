"""A sink emerges, and what keeps it from emerging: one head, seven ways to attend, three seeds.

The task is `tasks.backcopy`: nine queries of ten need nothing from the row. Sizes as in Guo et al. 2024 (2410.13835),
scaled down: one layer, one head. For each run: where the head rests, how long the first token's value is, how far the
loss is from the smallest possible, and what it costs to take the first key away from the trained model.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attn_course.attention import Learned, fused, hiding, watching
from attn_course.attention.options import Gated, KeyBias, NullKey, OffByOne, sigmoid_attention
from attn_course.models.gpt import GPT
from attn_course.tasks.backcopy import LENGTH, Backcopy, BackcopyBatch
from attn_course.training.history import History
from attn_course.training.loop import train

SEEDS = (0, 1, 2)
D_MODEL, BATCH, STEPS, RATE = 48, 64, 500, 3e-3
START, PLACES = 0.5, 0.1  # standard deviations of the first token and position vectors
OTHER = 4  # the key that is taken away to compare with

REMEDIES = {
    "softmax": {"mechanism": fused},
    "softmax off by one": {"mechanism": OffByOne},
    "null key": {"mechanism": NullKey},
    "key bias": {"mechanism": KeyBias},
    "register": {"mechanism": fused, "registers": 1},
    "gate": {"mechanism": Gated},
    "sigmoid": {"mechanism": sigmoid_attention},
}


def make(remedy: str = "softmax", seed: int = 0, start: float = START, length: int = LENGTH, d_model: int = D_MODEL):
    """An untrained model of one layer and one head. Raises ValueError for an unknown remedy and for sizes below 1.

    start   the standard deviation of its first token vectors
    """
    if remedy not in REMEDIES:
        raise ValueError(f"remedy should be one of {', '.join(REMEDIES)}; got {remedy!r}.")
    if not start > 0 or length < 1 or d_model < 1:
        raise ValueError(f"start, length and d_model should be above 0; got {start!r}, {length!r} and {d_model!r}.")
    torch.manual_seed(seed)
    model = GPT(Backcopy().vocabulary, d_model, 1, 1, positions=Learned(length, d_model), **REMEDIES[remedy])
    nn.init.normal_(model.token.weight, std=start)
    nn.init.normal_(model.stack.positions.table.weight, std=PLACES)
    return model


def learn(
    model: GPT,
    source: Backcopy,
    steps: int = STEPS,
    seed: int = 0,
    measure: Callable[[GPT], dict[str, float]] | None = None,
    every: int = 50,
    length: int = LENGTH,
    skip: int = 0,
) -> History:
    """Train in place to name the next token everywhere; `measure` is asked every `every` steps."""

    def loss(model: GPT, generator: torch.Generator) -> Tensor:
        return losses(model, source.batch(generator, BATCH, length, skip)).mean()

    return train(model, loss, steps, RATE, seed, measure=measure, every=every)


def losses(model: GPT, batch: BackcopyBatch) -> Tensor:
    """The cross-entropy (nats) at each place: (batch, place)."""
    return F.cross_entropy(model(batch.read).transpose(1, 2), batch.wanted, reduction="none")


@torch.no_grad()
def look(model: GPT, batch: BackcopyBatch) -> dict[str, float]:
    """Where the head looks in these rows, and what depends on it. Shares of a row's attention, means over queries.

    resting      on the first token, from queries that need nothing
    asking       on the first token, from triggers
    needed       on what a trigger may repeat, from triggers
    handed out   to all tokens of the text together, from queries that need nothing: a softmax gives 1
    value        the length of the first token's value, over the mean of the others'
    above ideal  the loss above the smallest possible (nats)
    evicted      what queries that need nothing lose (nats) if nobody may look at the first token
    other        the same for the key at place 4 in its stead
    """
    with watching(model) as records:
        plain = losses(model, batch)
    registers = 0 if model.stack.registers is None else len(model.stack.registers)
    weights = records[0].weights[:, 0, registers:, registers:]  # (batch, query, key)
    lengths = records[0].v[:, 0, registers:].norm(dim=-1)  # (batch, key)
    first = weights[..., 0]
    found = {
        "resting": first[batch.rests].mean(),
        "asking": first[batch.asks].mean(),
        "needed": (weights * batch.needed).sum(dim=-1)[batch.asks].mean(),
        "handed out": weights.sum(dim=-1)[batch.rests].mean(),
        "value": (lengths[:, 0] / lengths[:, 1:].mean(dim=-1)).mean(),
        "above ideal": plain.mean() - batch.ideal_loss,
    }
    for name, key in (("evicted", 0), ("other", OTHER)):
        keep = torch.arange(registers + weights.shape[-1]) != registers + key
        with hiding(model, keep):
            after = losses(model, batch)
        found[name] = (after - plain)[batch.rests].mean()
    return {name: value.item() for name, value in found.items()}


def held_out(source: Backcopy, rows: int = 256, length: int = LENGTH, skip: int = 0) -> BackcopyBatch:
    return source.batch(torch.Generator().manual_seed(987_654), rows, length, skip)


def run(source: Backcopy, seed: int, steps: int = STEPS, length: int = LENGTH, skip: int = 0, **parts) -> dict:
    """Train one model and look at it. `parts` go to `make`. A run that diverges has None for every number."""
    model, batch = make(seed=seed, length=length, **parts), held_out(source, length=length, skip=skip)
    try:
        learn(model, source, steps, seed, length=length, skip=skip)
    except FloatingPointError:
        return dict.fromkeys(look(make(length=length, **parts), batch))
    return {name: None if value != value else round(value, 4) for name, value in look(model.eval(), batch).items()}


def measure(seeds: tuple[int, ...] = SEEDS, steps: int = STEPS) -> dict:
    """Rows of (remedy, seed) with what `look` finds; and the same of an untrained model, as "before"."""
    source = Backcopy()
    before = look(make().eval(), held_out(source))
    rows = [
        {"remedy": remedy, "seed": seed} | run(source, seed, steps, remedy=remedy)
        for remedy in REMEDIES
        for seed in seeds
    ]
    settings = {
        "d_model": D_MODEL,
        "batch": BATCH,
        "steps": steps,
        "lr": RATE,
        "length": LENGTH,
    }
    return {
        "settings": settings | {"asking": source.asking},
        "ideal": round(held_out(source).ideal_loss, 4),
        "before": {name: round(value, 4) for name, value in before.items()},
        "rows": rows,
    }
