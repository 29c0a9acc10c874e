"""Over the edge: a small language model at a learning rate that is thirty times too large, and four remedies.

The same toy serves the lesson on entropy collapse, the question which signal comes first (`first_signal`), and the
basin of learning rates (`basin`). A run that ends in numbers that are not finite is a result like any other.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import takewhile

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from attn_course.attention import Learned, attention, watching
from attn_course.attention.options import QKNorm, sigma_reparam, soft_capped, with_qk_clip
from attn_course.models.gpt import GPT
from attn_course.tasks.documentation import documentation, encode, passages
from attn_course.training.faster import faster
from attn_course.training.loop import train
from attn_course.training.schedules import Schedule, constant

D_MODEL, HEADS, LAYERS, LENGTH, BATCH, STEPS = 64, 4, 3, 32, 16, 300
SEEDS = (0, 1, 2)
SANE, TOO_FAST = 3e-3, 0.1
CAP, TAU = 50.0, 100.0  # Gemma 2's cap of attention scores, Kimi K2's bound of a clip
REMEDIES = ("none", "QK-norm", "σReparam", "soft-cap", "QK-clip")
PARTS = ("queries and keys", "everything else")  # what alone is too fast
COLLAPSED = 0.05  # of log n: a head below it counts as collapsed
KEYS_LEAST, REST_LEAST = 8, 0.1  # rows with fewer keys to choose from, or that rest on the first key, are left out


@dataclass(frozen=True)
class Run:
    """What a training left: the loss of each step, what was measured on the way, and whether it came to its end."""

    losses: list[float]
    rows: list[dict]
    finished: bool


@cache
def texts() -> tuple[Int[Tensor, "token"], Int[Tensor, "token"]]:
    """To learn from, and to be tested on."""
    return encode(documentation().train), encode(documentation().held_out)


@cache
def read_twice(count: int = 64, seed: int = 987_654) -> tuple[Int[Tensor, "batch token"], Int[Tensor, "batch token"]]:
    """Passages of the training text and of the held-out text, the same ones every time."""
    known, unseen = (passages(text, torch.Generator().manual_seed(seed), count, LENGTH + 1) for text in texts())
    return known, unseen


def make(remedy: str = "none", d_model: int = D_MODEL, layers: int = LAYERS, seed: int = 0) -> GPT:
    """An untrained toy, with what a remedy changes in the model (QK-clip changes nothing in it, but its training)."""
    _check_remedy(remedy)
    mechanism = {"QK-norm": QKNorm, "soft-cap": soft_capped(CAP)}.get(remedy, attention)
    torch.manual_seed(seed)
    characters = len(documentation().characters)
    model = GPT(characters, d_model, HEADS, layers, Learned(LENGTH, d_model), mechanism=mechanism)
    if remedy == "σReparam":
        sigma_reparam(model)
    return model


def loss_on(model: nn.Module, read: Int[Tensor, "batch token"]) -> Tensor:
    """The mean loss over all places but the first (nats a character)."""
    return F.cross_entropy(model(read[:, :-1]).flatten(0, 1), read[:, 1:].flatten())


def learn(
    model: nn.Module,
    lr: float,
    steps: int = STEPS,
    seed: int = 0,
    *,
    tau: float | None = None,
    batch: int = BATCH,
    schedule: Schedule = constant,
    look: Callable[[nn.Module], dict] | None = None,
    every: int = STEPS,
) -> Run:
    """Train a toy in place.

    tau    clip queries and keys after each step, so that no head's score passes it
    look   what to measure after every `every` steps and the last; a row has "step" besides. The gradient of the last
           step still stands in the parameters then (`gradient_norm`)
    """
    losses: list[float] = []
    rows: list[dict] = []

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        value = loss_on(model, passages(texts()[0], generator, batch, LENGTH + 1))
        losses.append(value.item())
        return value

    def measure(model: nn.Module) -> dict[str, float]:
        if look is not None:
            rows.append({"step": len(losses)} | look(model))
        return {}

    of_batch = loss if tau is None else with_qk_clip(loss, tau)
    try:
        train(model, of_batch, steps, lr, seed, schedule=schedule, measure=measure, every=every)
        finished = True
    except FloatingPointError:
        finished = False
    return Run(list(takewhile(math.isfinite, losses)), rows, finished)


def gradient_norm(model: nn.Module) -> float:
    """The norm of all gradients together, as the last backward pass left them."""
    return nn.utils.get_total_norm([each.grad for each in model.parameters() if each.grad is not None]).item()


@torch.no_grad()
def vitals(model: nn.Module, read: Int[Tensor, "batch token"]) -> dict[str, float]:
    """What attention does with a text, over all heads.

    "max logit"  the greatest q·k/√d of all (before a soft-cap, so that it says what the weights have come to)
    "entropy"    the mean of the heads' H / log n beside the first token
    "collapsed"  the share of the heads in which that is below 0.05
    """
    with watching(model) as records:
        model(read[:, :-1])
    scores = [(layer.q @ layer.k.mT * layer.scale).masked_fill(~layer.visible, -math.inf) for layer in records]
    heads = torch.cat([entropy_beside_first(layer.weights) for layer in records])
    judged = heads[~heads.isnan()]
    return {
        "max logit": max(each.max().item() for each in scores),
        "entropy": judged.mean().item(),
        "collapsed": (judged < COLLAPSED).double().mean().item(),
    }


def entropy_beside_first(weights: Float[Tensor, "batch head query key"]) -> Float[Tensor, "head"]:
    """H / log n of causal rows without their first key, the rest made to sum to one; NaN for a head that rests on it.

    Rows with fewer than 8 other keys, or less than a tenth beside the first, are left out: such rows are no alarm.
    """
    beside = weights[..., 1:]
    n = torch.arange(weights.shape[-2], device=weights.device)  # other keys that a query may look at
    rest = beside.sum(-1)  # (batch, head, query)
    keep = (rest >= REST_LEAST) & (n >= KEYS_LEAST)
    rows = torch.special.entr(beside / rest.clamp(min=REST_LEAST)[..., None]).sum(-1) / n.clamp(min=2).log()
    return torch.where(keep, rows, math.nan).nanmean(dim=(0, 2))


def measure(seeds: tuple[int, ...] = SEEDS, steps: int = STEPS) -> dict:
    """Every remedy at a sane rate and at one that is too fast; and too fast in one part of the model alone.

    Rows: "loss" and "held_out" (nats a character, on fixed passages), and `vitals`, after the last step; "finished".
    """
    rows = [_row(remedy, None, lr, seed, steps) for seed in seeds for lr in (SANE, TOO_FAST) for remedy in REMEDIES]
    rows += [_row("none", part, SANE, seed, steps) for seed in seeds for part in PARTS]
    return {
        "settings": {
            "d_model": D_MODEL,
            "heads": HEADS,
            "layers": LAYERS,
            "length": LENGTH,
            "batch": BATCH,
            "steps": steps,
            "sane": SANE,
            "too_fast": TOO_FAST,
            "cap": CAP,
            "tau": TAU,
        },
        "seeds": list(seeds),
        "rows": rows,
    }


def hurry(model: nn.Module, part: str) -> None:
    """Let one part of a toy learn at TOO_FAST where the learning rate is SANE."""
    if part not in PARTS:
        raise ValueError(f"part should be one of {', '.join(PARTS)}; got {part!r}.")
    faster(model, lambda name: is_query_or_key(name) == (part == PARTS[0]), TOO_FAST / SANE)


def is_query_or_key(name: str) -> bool:
    return "w_q" in name or "w_k" in name


def _row(remedy: str, part: str | None, lr: float, seed: int, steps: int) -> dict:
    known, unseen = read_twice()
    model = make(remedy, seed=seed)
    if part is not None:
        hurry(model, part)

    def look(model: nn.Module) -> dict:
        return {"loss": loss_on(model, known).item(), "held_out": loss_on(model, unseen).item()} | vitals(model, unseen)

    run = learn(model, lr, steps, seed, tau=TAU if remedy == "QK-clip" else None, look=look, every=steps)
    found = {name: float(f"{value:.5g}") for name, value in run.rows[-1].items()} if run.rows else {}
    return {"remedy": remedy, "part": part, "lr": lr, "seed": seed, "finished": run.finished} | found


def _check_remedy(remedy: str) -> None:
    if remedy not in REMEDIES:
        raise ValueError(f"remedy should be one of {', '.join(REMEDIES)}; got {remedy!r}.")
