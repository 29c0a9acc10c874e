"""Does training suffer where tokens collapse? Two blocks and twelve, with skips around attention, weak ones, none.

The task is that of `depth`: the next token depends on the last two, and two layers learn it. A run counts as trained
when it beats the best predictor that never looks back.
"""

import math

import torch
from torch import Tensor, nn

from attn_course.attention import Sinusoidal, fused
from attn_course.models.blocks import PostNorm, PreNorm
from attn_course.models.gpt import GPT
from attn_course.models.skips import ReZero, keeping_own, scaled
from attn_course.training.experiments.depth import loss_on, source
from attn_course.training.history import History
from attn_course.training.loop import train
from attn_course.training.schedules import warmup

DEPTHS, SEEDS = (2, 12), (0, 1, 2)
STEPS, BATCH, LENGTH, WARMUP, RATE = 150, 16, 16, 30, 3e-3
D_MODEL, HEADS = 32, 4
SHARPER = 4.0  # times the first weights of queries and keys

VARIANTS = {
    "skips": lambda depth: {},
    "attention skip × 0.7": lambda depth: {"block": scaled(PreNorm, attention=0.7)},
    "attention skip × 0.3": lambda depth: {"block": scaled(PreNorm, attention=0.3)},
    "no attention skip": lambda depth: {"block": scaled(PreNorm, attention=0.0)},
    "no skips": lambda depth: {"block": scaled(PreNorm, attention=0.0, feed_forward=0.0)},
    "no attention skip, sharper": lambda depth: {"block": scaled(PreNorm, attention=0.0)},
    "no attention skip, keeps 0.9": lambda depth: {
        "block": scaled(PreNorm, attention=0.0),
        "mechanism": keeping_own(0.9),
    },
    "skips, branches / √depth": lambda depth: {"block": scaled(PreNorm, branch=1 / math.sqrt(depth))},
    "ReZero": lambda depth: {"block": ReZero},
    "post-norm": lambda depth: {"block": PostNorm},
    "post-norm, no attention skip": lambda depth: {"block": scaled(PostNorm, attention=0.0)},
}


def make(variant: str, depth: int, seed: int = 0) -> GPT:
    """An untrained model of `depth` blocks. Raises ValueError for an unknown variant or a depth below 1."""
    if variant not in VARIANTS:
        raise ValueError(f"variant should be one of {', '.join(VARIANTS)}; got {variant!r}.")
    if depth < 1:
        raise ValueError(f"There should be at least one block, got depth={depth}.")
    torch.manual_seed(seed)
    parts = {"mechanism": fused} | VARIANTS[variant](depth)
    model = GPT(len(source().table), D_MODEL, HEADS, depth, Sinusoidal(D_MODEL), **parts)
    if variant.endswith("sharper"):
        for block in model.stack.blocks:
            block.attention.w_q.weight.data.mul_(SHARPER)
            block.attention.w_k.weight.data.mul_(SHARPER)
    return model


def held_out() -> Tensor:
    """256 sequences never drawn in training."""
    return source().sample(torch.Generator().manual_seed(987_654), 256, LENGTH)


def learn(variant: str, depth: int, steps: int = STEPS, seed: int = 0, lr: float = RATE) -> tuple[GPT, History]:
    """Train a fresh model; `history.measured["held out"]` has its loss on sequences never drawn in training."""
    model, unseen = make(variant, depth, seed), held_out()
    history = train(
        model,
        lambda m, generator: loss_on(m, source().sample(generator, BATCH, LENGTH)),
        steps,
        lr,
        seed,
        schedule=warmup(WARMUP),
        measure=lambda m: {"held out": loss_on(m, unseen).item()},
        every=steps,
    )
    return model, history


@torch.no_grad()
def apart(model: GPT, tokens: Tensor) -> list[float]:
    """How far apart the tokens of a text are after each block: ‖X − 1x̄ᵀ‖_F / ‖X‖_F, mean over texts.

    In Frobenius' norm, so that it is between 0 and 1.
    """
    left: list[float] = []

    def keep(_block: nn.Module, _given: tuple, x: Tensor) -> None:
        left.append(((x - x.mean(1, keepdim=True)).norm(dim=(1, 2)) / x.norm(dim=(1, 2))).mean().item())

    handles = [block.register_forward_hook(keep) for block in model.stack.blocks]
    model(tokens)
    for handle in handles:
        handle.remove()
    return left


def starving(model: GPT, tokens: Tensor) -> list[float]:
    """For each block, the norm of the gradient of W_Q and W_K by that of W_V; 0 where W_V gets none either."""
    model.zero_grad()
    loss_on(model, tokens).backward()
    ratios = []
    for block in model.stack.blocks:
        q, k, v = (getattr(block.attention, f"w_{each}").weight.grad.double() for each in "qkv")
        ratios.append((torch.cat([q, k]).norm() / v.norm()).item() if v.norm() > 0 else 0.0)
    model.zero_grad()
    return ratios


def measure(
    variants: tuple[str, ...] = tuple(VARIANTS),
    depths: tuple[int, ...] = DEPTHS,
    seeds: tuple[int, ...] = SEEDS,
    steps: int = STEPS,
) -> dict:
    """Rows: "loss" (held out, nats; None if the run ended in numbers that are not finite), "trained", and by block
    "apart" before the first step and after the last, and "starving" before the first step.
    """
    return {
        "settings": {"d_model": D_MODEL, "heads": HEADS, "steps": steps, "batch": BATCH, "length": LENGTH}
        | {"lr": RATE, "warmup": WARMUP, "sharper": SHARPER},
        "known": {name: round(getattr(source(), name), 4) for name in ("shares_only", "one_back", "entropy")},
        "depths": list(depths),
        "seeds": list(seeds),
        "rows": [row(variant, depth, seed, RATE, steps) for variant in variants for depth in depths for seed in seeds],
    }


def row(variant: str, depth: int, seed: int, lr: float, steps: int) -> dict:
    """One run: what it was, its loss, and the vitals of `measure`."""
    about = {"variant": variant, "depth": depth, "seed": seed, "lr": lr, "steps": steps}
    fresh, unseen = make(variant, depth, seed), held_out()
    before, hungry = apart(fresh, unseen), starving(fresh, unseen[:64])
    try:
        model, history = learn(variant, depth, steps, seed, lr)
    except FloatingPointError:
        loss, after = None, []
    else:
        loss, after = history.measured["held out"][-1][1], apart(model, unseen)
    return about | {
        "loss": None if loss is None else round(loss, 4),
        "trained": loss is not None and loss < source().one_back,
        "apart_before": _short(before),
        "apart_after": _short(after),
        "starving": _short(hungry),
    }


def _short(numbers: list[float]) -> list[float]:
    return [float(f"{each:.3g}") for each in numbers]
