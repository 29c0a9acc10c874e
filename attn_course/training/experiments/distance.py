"""How far back can it learn to look? A transformer and a GRU of equal size, taught to keep a token for so long.

Each is trained at one distance and tested there. Learning rates are chosen for each on a small grid, with a seed that
is not used again. Beside accuracy stands its cause: how much gradient reaches the token that has to be kept.
"""

from statistics import mean

import torch
import torch.nn.functional as F
from torch import nn

from attn_course.attention import Rotary, fused
from attn_course.models.gpt import GPT
from attn_course.models.recurrent import Recurrent
from attn_course.tasks.distance import CONTENTS, VOCABULARY, distance_batch
from attn_course.training.history import History
from attn_course.training.loop import train
from attn_course.training.schedules import warmup

DISTANCES = (4, 8, 16, 32, 64, 128)
SEEDS = (0, 1, 2)
STEPS, MORE_STEPS, BATCH = 300, 600, 16
RATES = (1e-3, 3e-3, 1e-2, 3e-2)  # the grid
TUNED_AT, TUNING_SEED = 64, 100
FARTHEST = max(DISTANCES)
RATE = {"transformer": 3e-3, "GRU": 1e-2}  # what the grid chose
KINDS = tuple(RATE)


def make(kind: str) -> nn.Module:
    """A model that was not trained, of about 26,000 parameters.

    "transformer": 2 layers, 4 heads, d_model 32. "GRU": one layer, 64 numbers in its state. The transformer attends
    with torch's fused kernel, as the GRU runs on torch's own: neither is slowed by code made for teaching.
    """
    if kind not in KINDS:
        raise ValueError(f"kind should be one of {', '.join(KINDS)}, got {kind!r}.")
    if kind == "transformer":
        return GPT(VOCABULARY, 32, heads=4, layers=2, positions=Rotary(8), mechanism=fused)
    return Recurrent(VOCABULARY, 64)


def parameters(model: nn.Module) -> int:
    return sum(each.numel() for each in model.parameters())


@torch.no_grad()
def accuracy(model: nn.Module, distance: int, rows: int = 256) -> float:
    """The share of right answers, on rows that training never drew. Guessing gives 1/8."""
    batch = distance_batch(torch.Generator().manual_seed(987_654), distance, rows)
    return (model(batch.tokens)[:, -1].argmax(dim=-1) == batch.answer).float().mean().item()


def learn(
    kind: str,
    distance: int,
    steps: int = STEPS,
    seed: int = 0,
    lr: float | None = None,
    nearest: int | None = None,
) -> tuple[nn.Module, History]:
    """Train a fresh model at one distance; `history.measured["accuracy"]` has its accuracy there, every 50 steps.

    lr        RATE[kind] unless given
    nearest   if given, each batch draws its distance anew between this and `distance`: near ones help to learn far ones
    """
    torch.manual_seed(seed)
    model = make(kind)

    def loss_of_batch(model: nn.Module, generator: torch.Generator):
        now = distance if nearest is None else int(torch.randint(nearest, distance + 1, (), generator=generator))
        batch = distance_batch(generator, now, BATCH)
        return F.cross_entropy(model(batch.tokens)[:, -1], batch.answer)

    history = train(
        model,
        loss_of_batch,
        steps,
        RATE[kind] if lr is None else lr,
        seed,
        schedule=warmup(50),
        clip=1.0,
        measure=lambda m: {"accuracy": accuracy(m, distance)},
    )
    return model, history


def gradient_at_content(kind: str, distance: int, seed: int = 0) -> float:
    """How much of the answer's loss reaches the token to be kept, before training: mean norm of ∂loss/∂(its vector)."""
    torch.manual_seed(seed)
    model = make(kind)
    batch = distance_batch(torch.Generator().manual_seed(seed), distance, 64)
    kept: list[torch.Tensor] = []

    def keep(_layer: nn.Module, _tokens: tuple, vectors: torch.Tensor) -> None:
        vectors.retain_grad()
        kept.append(vectors)

    handle = model.token.register_forward_hook(keep)
    loss = F.cross_entropy(model(batch.tokens)[:, -1], batch.answer, reduction="sum")  # so that rows do not shrink it
    handle.remove()
    loss.backward()
    at_content = kept[0].grad[:, -1 - distance]  # (batch, d_model)
    return at_content.double().norm(dim=-1).mean().item()  # in float32 the square of 1e-23 would be nothing


def tune() -> tuple[list[dict], dict[str, float]]:
    """Every rate of the grid for both, and each one's best: most right at the end, then the one that learned sooner."""
    rows = [{"kind": kind, "lr": lr} | _row(kind, TUNED_AT, STEPS, TUNING_SEED, lr) for kind in KINDS for lr in RATES]
    best = {}
    for kind in KINDS:
        tried = [row for row in rows if row["kind"] == kind]
        best[kind] = max(tried, key=lambda row: (row["accuracy"], mean(row["curve"])))["lr"]
    return rows, best


def measure() -> dict:
    """Accuracy against distance, for both at equal steps; what changes it for the GRU; gradients before training.

    "rows"              equal steps                        "longer"     twice as many, the two largest distances
    "mixed_distances"   equal steps, distances 1 … 128 drawn, tested at 128

    Each holds "accuracy" at the end, "curve" every 50 steps, "first_step" at which it was at least .9 (None if never).
    """
    grid, rates = tune()
    equal = [
        {"kind": kind} | _row(kind, distance, STEPS, seed, rates[kind])
        for kind in KINDS
        for distance in DISTANCES
        for seed in SEEDS
    ]
    longer = [
        {"kind": "GRU"} | _row("GRU", distance, MORE_STEPS, seed, rates["GRU"])
        for distance in DISTANCES[-2:]
        for seed in SEEDS
    ]
    mixed = [
        {"kind": kind} | _row(kind, FARTHEST, STEPS, seed, rates[kind], nearest=1) for kind in KINDS for seed in SEEDS
    ]
    gradients = [
        {"kind": kind, "distance": distance, "seed": seed, "gradient": gradient_at_content(kind, distance, seed)}
        for kind in KINDS
        for distance in DISTANCES
        for seed in SEEDS
    ]
    return {
        "settings": {
            "steps": STEPS,
            "more_steps": MORE_STEPS,
            "batch": BATCH,
            "warmup": 50,
            "clip": 1.0,
            "chance": 1 / CONTENTS,
            "grid": list(RATES),
            "tuned_at": TUNED_AT,
            "tuning_seed": TUNING_SEED,
            "lr": rates,
            "parameters": {kind: parameters(make(kind)) for kind in KINDS},
        },
        "seeds": list(SEEDS),
        "distances": list(DISTANCES),
        "rows": equal,
        "longer": longer,
        "mixed_distances": mixed,
        "gradients": gradients,
        "tuning": grid,
    }


def _row(kind: str, distance: int, steps: int, seed: int, lr: float, nearest: int | None = None) -> dict:
    _, history = learn(kind, distance, steps, seed, lr, nearest)
    curve = history.measured["accuracy"]
    return {
        "distance": distance,
        "seed": seed,
        "steps": steps,
        "accuracy": round(curve[-1][1], 4),
        "first_step": next((step for step, value in curve if value >= 0.9), None),
        "curve": [round(value, 3) for _, value in curve],
    }
