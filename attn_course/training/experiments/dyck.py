"""Which bracket has to close next? By layers, and by what a model is told about nesting.

Trained on texts of 48 brackets, four kinds, nested at most four deep; asked about those, twice as long ones, and twice
as deep ones. Counted are the places where the answer is not the token itself: those right after a closing bracket.

    place            ALiBi: scores fall with the distance in the text. Nothing says what a bracket is
    place, rotary    the same with rotary by place beside it: as many rotations as below, and none of them knows depth
    depth added      ALiBi, and a sinusoid of the depth added to the tokens
    depth compared   ALiBi, and queries and keys turned by their depth (`attention.biases.PlaceAndDepth`)

Depth is counted outside the model: so many opened, less so many closed. Which kinds were opened, it has to find out.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attn_course.attention import ALiBi, fused
from attn_course.attention.biases import PlaceAndDepth
from attn_course.attention.positions import sinusoids
from attn_course.models.gpt import GPT
from attn_course.models.recurrent import Recurrent
from attn_course.tasks.dyck import NOTHING, DyckBatch, depths, dyck_batch
from attn_course.training.history import History
from attn_course.training.loop import train
from attn_course.training.schedules import warmup

KINDS, LENGTH, DEEPEST = 4, 48, 4
SEEDS, STEPS, BATCH, RATE, WARMUP = (0, 1, 2), 800, 16, 3e-3, 50
D_MODEL, HEADS = 32, 4
BIASES = ("place", "place, rotary", "depth added", "depth compared")
RUNS = (  # bias, layers
    ("place", 1),
    ("place", 2),
    ("place", 4),
    ("place, rotary", 1),
    ("depth added", 1),
    ("depth compared", 1),
    ("depth compared", 2),
    ("GRU", 1),
)
ASKED = {
    "as trained": (48, 4),
    "longer": (96, 4),
    "four times as long": (192, 4),
    "deeper": (96, 8),
}  # name → length, deepest
DISTANCES = (2, 4, 8, 16, 32, 192)  # of the bracket that is asked for: up to so many tokens back
ROWS = 100


class DepthAdded(ALiBi):
    """ALiBi, and sinusoids of `at` added to the tokens. Called with depths, like `PlaceAndDepth`."""

    def add(self, x, at):
        return x + sinusoids(at, x.shape[-1]).to(x.dtype)


@dataclass(frozen=True)
class Kind:
    """A model and whether it is told the depths."""

    model: nn.Module
    told: bool

    def scores(self, tokens: Tensor) -> Tensor:
        return self.model(tokens, at=depths(tokens, KINDS)) if self.told else self.model(tokens)


def make(bias: str, layers: int = 1, seed: int = 0) -> Kind:
    """An untrained model. Raises ValueError for an unknown bias, or less than one layer."""
    torch.manual_seed(seed)
    if bias == "GRU":
        return Kind(Recurrent(2 * KINDS, D_MODEL, layers, 2 * D_MODEL), False)
    positions = {
        "place": lambda: ALiBi(HEADS),
        "place, rotary": lambda: PlaceAndDepth(HEADS, D_MODEL // HEADS),  # at: places, as it is not told otherwise
        "depth added": lambda: DepthAdded(HEADS),
        "depth compared": lambda: PlaceAndDepth(HEADS, D_MODEL // HEADS),
    }
    if bias not in positions:
        raise ValueError(f"bias should be one of {', '.join((*BIASES, 'GRU'))}; got {bias!r}.")
    model = GPT(2 * KINDS, D_MODEL, HEADS, layers, positions[bias](), mechanism=fused)
    return Kind(model, bias.startswith("depth"))


def loss_on(kind: Kind, batch: DyckBatch) -> Tensor:
    """Cross-entropy in nats of the kind that has to close next, at every place where one is open."""
    return F.cross_entropy(kind.scores(batch.tokens).transpose(1, 2), batch.wanted, ignore_index=NOTHING)


def learn(bias: str, layers: int = 1, seed: int = 0, steps: int = STEPS) -> tuple[Kind, History]:
    """Train a fresh model on texts of 48 brackets, at most four deep."""
    kind = make(bias, layers, seed)

    def loss(_model: nn.Module, generator: torch.Generator) -> Tensor:
        return loss_on(kind, dyck_batch(generator, BATCH, LENGTH, KINDS, DEEPEST))

    history = train(kind.model, loss, steps, RATE, seed, schedule=warmup(WARMUP), clip=1.0)
    kind.model.eval()
    return kind, history


@torch.no_grad()
def right(kind: Kind, length: int = LENGTH, deepest: int = DEEPEST, rows: int = ROWS) -> dict:
    """Shares of right answers after a closing bracket: "all", "by_depth" (1, 2, …), "by_distance" (`DISTANCES`).

    None where no such place was drawn. Guessing gives 1/4.
    """
    batch = dyck_batch(torch.Generator().manual_seed(987_654), rows, length, KINDS, deepest)
    hits = kind.scores(batch.tokens).argmax(dim=-1) == batch.wanted
    asked = batch.opened > 0  # opened by an earlier token, so the present one closed something
    nearest = (0, *DISTANCES[:-1])
    return {
        "all": _share(hits, asked),
        "by_depth": [_share(hits, asked & (batch.depth == depth)) for depth in range(1, deepest)],
        "by_distance": [
            _share(hits, asked & (batch.opened > least) & (batch.opened <= most))
            for least, most in zip(nearest, DISTANCES, strict=True)
        ],
    }


def measure(
    runs: tuple[tuple[str, int], ...] = RUNS, seeds: tuple[int, ...] = SEEDS, steps: int = STEPS, rows: int = ROWS
) -> dict:
    """Rows: bias, layers, seed, "parameters", "loss" (nats, the last 50 steps), and `right` for each of `ASKED`."""
    return {
        "settings": {"kinds": KINDS, "length": LENGTH, "deepest": DEEPEST, "steps": steps, "batch": BATCH, "lr": RATE}
        | {"d_model": D_MODEL, "heads": HEADS, "warmup": WARMUP, "texts": rows, "chance": 1 / KINDS},
        "asked": {name: list(sizes) for name, sizes in ASKED.items()},
        "distances": list(DISTANCES),
        "seeds": list(seeds),
        "rows": [_row(bias, layers, seed, steps, rows) for bias, layers in runs for seed in seeds],
    }


def _row(bias: str, layers: int, seed: int, steps: int, rows: int) -> dict:
    about = {"bias": bias, "layers": layers, "seed": seed}
    try:
        kind, history = learn(bias, layers, seed, steps)
    except FloatingPointError:  # it ended in numbers that are not finite, which is a result
        return about | {"parameters": None, "loss": None} | dict.fromkeys(ASKED)
    parameters = sum(each.numel() for each in kind.model.parameters())
    about |= {"parameters": parameters, "loss": round(history.tail(50), 4)}
    return about | {name: right(kind, *sizes, rows) for name, sizes in ASKED.items()}


def _share(hits: Tensor, where: Tensor) -> float | None:
    return round(hits[where].double().mean().item(), 4) if where.any() else None
