"""How deep can it be and still learn? Depth 2 to 24, pre-norm or post-norm, with weights of its own or one set for all.

The task is one that two layers learn: a source whose next token depends on the last two. Its losses are known without
a model, so a run counts as trained when it beats the best predictor that never looks back.
"""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attn_course.attention import Sinusoidal, fused
from attn_course.models.blocks import PostNorm, PreNorm
from attn_course.models.gpt import GPT
from attn_course.tasks.second_order import SecondOrderSource
from attn_course.training.history import History
from attn_course.training.loop import train
from attn_course.training.schedules import constant, warmup

DEPTHS = (2, 4, 8, 12, 24)
SEEDS = (0, 1, 2)
BLOCKS = {"pre-norm": PreNorm, "post-norm": PostNorm}
STEPS, BATCH, LENGTH, WARMUP = 100, 16, 16, 30
RATE, NO_WARMUP = 3e-3, 0
REMEDIES = ((3e-3, WARMUP), (1e-3, NO_WARMUP))  # learning rate, steps of warm-up
DEEP = (24, 12)  # where the remedies are tried, with post-norm
D_MODEL, HEADS = 32, 4


@cache
def source() -> SecondOrderSource:
    return SecondOrderSource()


def make(depth: int, norm: str, shared: bool, seed: int = 0) -> GPT:
    """An untrained model of `depth` blocks, "pre-norm" or "post-norm"; shared: one block run `depth` times."""
    if norm not in BLOCKS:
        raise ValueError(f"norm should be one of {', '.join(BLOCKS)}, got {norm!r}.")
    torch.manual_seed(seed)
    states = len(source().table)
    return GPT(states, D_MODEL, HEADS, depth, Sinusoidal(D_MODEL), mechanism=fused, block=BLOCKS[norm], shared=shared)


def loss_on(model: nn.Module, tokens: Tensor) -> Tensor:
    """The mean loss where two tokens have been seen, so that the source's entropy is within reach (nats a token)."""
    scores = model(tokens[:, :-1])[:, 1:]  # (batch, token, state)
    return F.cross_entropy(scores.flatten(0, 1), tokens[:, 2:].flatten())


def learn(
    depth: int,
    norm: str,
    shared: bool = False,
    steps: int = STEPS,
    seed: int = 0,
    lr: float = RATE,
    warm: int = NO_WARMUP,
) -> tuple[GPT, History]:
    """Train a fresh model; `history.measured["held out"]` has its loss on sequences never drawn in training."""
    held_out = source().sample(torch.Generator().manual_seed(987_654), 256, LENGTH)
    model = make(depth, norm, shared, seed)
    history = train(
        model,
        lambda m, generator: loss_on(m, source().sample(generator, BATCH, LENGTH)),
        steps,
        lr,
        seed,
        schedule=warmup(warm) if warm else constant,
        measure=lambda m: {"held out": loss_on(m, held_out).item()},
        every=steps,
    )
    return model, history


def gradients(depth: int, norm: str, shared: bool = False, seed: int = 0) -> dict[str, list[float]]:
    """Gradient norms before the first step, from the first block to the last.

    "stream"   of what each run of a block puts out: how the error signal fares on its way down
    "weights"  of all weights of a block together; one number if all runs share them
    """
    model = make(depth, norm, shared, seed)
    tokens = source().sample(torch.Generator().manual_seed(seed), 64, LENGTH)
    outputs: list[Tensor] = []

    def keep(_block: nn.Module, _given: tuple, x: Tensor) -> None:
        x.retain_grad()
        outputs.append(x)

    handles = [block.register_forward_hook(keep) for block in model.stack.blocks]
    loss_on(model, tokens).backward()
    for handle in handles:
        handle.remove()
    weights = [nn.utils.get_total_norm([p.grad for p in block.parameters()]) for block in model.stack.blocks]
    return {
        "stream": [x.grad.norm().item() for x in outputs],
        "weights": [norm.item() for norm in weights],
    }


def measure() -> dict:
    """The final held-out loss of every depth, placement, sharing and seed at one learning rate without warm-up.

    "remedies" repeats post-norm at the largest depths, once with warm-up, once with a third of the learning rate.
    Rows: "loss" (nats; None if training ended in numbers that are not finite), "trained" (loss below `one_back`).
    "gradients": norms before the first step, as in `gradients`.
    """
    variants = [(depth, norm, shared) for depth in DEPTHS for norm in BLOCKS for shared in (False, True)]
    rows = [_row(*variant, seed, RATE, NO_WARMUP, STEPS) for seed in SEEDS for variant in variants]
    remedies = [
        _row(depth, "post-norm", shared, seed, lr, warm, STEPS)
        for depth in DEEP
        for lr, warm in REMEDIES
        for seed in SEEDS
        for shared in (False, True)
    ]
    before = [
        {"depth": depth, "norm": norm, "shared": shared, "seed": seed}
        | {name: [float(f"{g:.3g}") for g in each] for name, each in gradients(depth, norm, shared, seed).items()}
        for depth, norm, shared in variants
        for seed in SEEDS
    ]
    return {
        "settings": {
            "d_model": D_MODEL,
            "heads": HEADS,
            "steps": STEPS,
            "batch": BATCH,
            "length": LENGTH,
            "lr": RATE,
            "warmup": NO_WARMUP,
            "remedies": [{"lr": lr, "warmup": warm} for lr, warm in REMEDIES],
        },
        "known": {
            "shares_only": round(source().shares_only, 4),
            "one_back": round(source().one_back, 4),
            "entropy": round(source().entropy, 4),
        },
        "seeds": list(SEEDS),
        "depths": list(DEPTHS),
        "rows": rows,
        "remedies": remedies,
        "gradients": before,
    }


def _row(depth: int, norm: str, shared: bool, seed: int, lr: float, warm: int, steps: int = STEPS) -> dict:
    row = {"depth": depth, "norm": norm, "shared": shared, "seed": seed, "lr": lr, "warmup": warm}
    try:
        model, history = learn(depth, norm, shared, steps, seed, lr, warm)
    except FloatingPointError:
        model, loss = make(depth, norm, shared), None
    else:
        loss = history.measured["held out"][-1][1]
    return row | {
        "loss": None if loss is None else round(loss, 4),
        "trained": loss is not None and loss < source().one_back,
        "parameters": sum(p.numel() for p in model.parameters()),
    }
