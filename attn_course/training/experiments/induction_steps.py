"""An induction head step by step: a small model of attention only, kept at nine moments of its training, twice.

One meets rows that repeat after 4 to 16 tokens, the other rows that always repeat after 16. Both have the sizes of a
picture, 32 tokens and 32 features, and know positions by rotation. Their weights are kept as whole numbers from −127
to 127 and one scale a matrix, so that a page can hold all eighteen and run them.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attn_course.attention import Rotary, watching
from attn_course.models.attention_only import attention_only
from attn_course.models.gpt import GPT
from attn_course.tasks.induction import InductionBatch, prefix_match, previous_token, repeat_accuracy
from attn_course.training.loop import train
from attn_course.training.schedules import warmup

VOCABULARY, READ, D_MODEL, HEADS, LAYERS = 32, 32, 32, 4, 2
BATCH, STEPS, LR, EVERY = 64, 800, 3e-3, 20
KEPT = (0, 100, 200, 260, 300, 340, 400, 500, 800)
CURVES = ("loss", "previous_token", "prefix_match")
TRAINED_ON = {"random": (4, 16), "fixed": (16, 16)}
PERIODS = range(4, 25)  # what rows are shown and measured: beyond what either was trained on
OTHER, ROWS, SEEDS = 10, 64, (0, 1, 2)


def rows(generator: torch.Generator, batch: int, periods: tuple[int, int]) -> InductionBatch:
    """Rows of 33 tokens, of which 32 are read: as in `tasks.induction`, with a vocabulary of 32."""
    period = torch.randint(periods[0], periods[1] + 1, (batch,), generator=generator)
    order = torch.rand(batch, VOCABULARY, generator=generator).argsort(dim=-1)
    place = torch.arange(READ + 1) % period[:, None]  # (batch, token)
    return InductionBatch(order.gather(1, place), period)


def make(seed: int) -> GPT:
    """Norms without parameters: every number of the model stands in one of ten matrices."""
    torch.manual_seed(seed)
    norm = partial(nn.LayerNorm, elementwise_affine=False)
    positions = Rotary(D_MODEL // HEADS)
    return attention_only(VOCABULARY, D_MODEL, HEADS, LAYERS, positions=positions, norm=norm, bias=False)


def loss(model: GPT, generator: torch.Generator, periods: tuple[int, int]) -> Tensor:
    tokens = rows(generator, BATCH, periods).tokens
    return F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())


@torch.no_grad()
def figures(model: GPT, period: int, seed: int = 1234) -> dict[str, float]:
    """On 64 new rows of this period: loss (nats) and accuracy where the next token can be known, and two scores.

    previous_token  of the first layer's heads, the best
    prefix_match    of the second layer's heads, the best; prefix_match_first: of the first layer's, where no head can
                    know what stood before a token, so that a large score is not reading
    """
    batch = rows(torch.Generator().manual_seed(seed), ROWS, (period, period))
    with watching(model) as records:
        scores = model(batch.tokens[:, :-1])  # (batch, place, vocabulary)
    first, second = (record.weights for record in records)
    where = batch.predictable
    return {
        "loss": F.cross_entropy(scores[where], batch.tokens[:, 1:][where]).item(),
        "accuracy": repeat_accuracy(scores, batch),
        "previous_token": previous_token(first).max().item(),
        "prefix_match": prefix_match(second, batch).max().item(),
        "prefix_match_first": prefix_match(first, batch).max().item(),
    }


def matrices(model: GPT) -> list[Tensor]:
    """Token, then query, key, value and output of each layer, then the head: ten of 32 × 32, as they are stored."""
    layers = [block.attention for block in model.stack.blocks]
    inner = [each.weight for layer in layers for each in (layer.w_q, layer.w_k, layer.w_v, layer.w_o)]
    return [model.token.weight, *inner, model.head.weight]


def kept(model: GPT) -> dict:
    """The model's weights in bytes: `scales[i]` times matrix i's whole numbers."""
    found = [each.detach() for each in matrices(model)]
    scales = [each.abs().max().item() / 127 for each in found]
    whole = torch.stack([(each / scale).round() for each, scale in zip(found, scales, strict=True)]).to(torch.int8)
    return {"scales": [round(scale, 7) for scale in scales], "weights": b64encode(whole.numpy().tobytes()).decode()}


def restored(moment: dict) -> GPT:
    """A model from what `kept` made of it, each number to half of a 127th of its matrix's largest."""
    model = make(seed=0).eval()
    whole = torch.frombuffer(bytearray(b64decode(moment["weights"])), dtype=torch.int8).view(-1, D_MODEL, D_MODEL)
    with torch.no_grad():
        for place, numbers, scale in zip(matrices(model), whole, moment["scales"], strict=True):
            place.copy_(numbers * scale)
    return model


def watched_run(name: str) -> dict:
    """One training, kept at the nine moments, and measured on every period each 20 steps."""
    model = make(seed=0)
    moments, curves = [kept(model)], [[figures(model, period) for period in PERIODS]]

    def look(model: GPT) -> dict[str, float]:
        curves.append([figures(model, period) for period in PERIODS])
        if (len(curves) - 1) * EVERY in KEPT:
            moments.append(kept(model))
        return {}

    periods = TRAINED_ON[name]
    train(model, partial(loss, periods=periods), STEPS, LR, schedule=warmup(100), measure=look, every=EVERY)
    told = {name: [joined(at[i][name] for at in curves) for i in range(len(PERIODS))] for name in CURVES}
    return {"periods": list(periods), "moments": moments, "curves": told}


def joined(values: Iterable[float]) -> str:
    """Numbers on one line: a file of lists would be mostly white space."""
    return " ".join(f"{value:.3g}" for value in values)


def seeds_of(name: str) -> list[dict]:
    """The end of training from three starts: on the longest period that it met, and accuracy on another one."""
    ends = []
    for seed in SEEDS:
        model = make(seed)
        train(model, partial(loss, periods=TRAINED_ON[name]), STEPS, LR, seed, schedule=warmup(100))
        found = figures(model.eval(), TRAINED_ON[name][1])
        found["other_accuracy"] = figures(model, OTHER)["accuracy"]
        ends.append({"seed": seed} | {key: round(value, 3) for key, value in found.items()})
    return ends


def measure() -> dict:
    return {
        "settings": f"{LAYERS} layers of {HEADS} heads, {D_MODEL} features, {VOCABULARY} tokens, rows of {READ}, "
        f"batch {BATCH}, AdamW {LR:g} with a warm-up of 100 steps, seed 0",
        "steps": list(KEPT),
        "measured_at": joined(range(0, STEPS + 1, EVERY)),
        "periods": list(PERIODS),
        "vocabulary": VOCABULARY,
        "read": READ,
        "heads": HEADS,
        "models": {name: watched_run(name) for name in TRAINED_ON},
        "ends": {name: seeds_of(name) for name in TRAINED_ON},
    }
