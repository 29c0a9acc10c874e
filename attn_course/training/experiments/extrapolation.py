"""Beyond the trained length: a small GPT with each encoding of order, trained short, asked at the end of long texts.

One task, "the last time" (`tasks/last_time.py`), in which nothing to be found lies farther back in a longer text. Every
model is the same but for its encoding, and trained alike: LENGTH tokens, STEPS steps, one learning rate. Causal models
answer at every token as they would if the text ended there, so one long text gives the accuracy at every length.

    plain     the model as it is
    window    the same weights, but no query looks back farther than a text was long in training
    shifted   trained with texts that begin at a place drawn from 0 … 3 · LENGTH, so that every row of a table is met
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from attn_course.attention import (
    ALiBi,
    Learned,
    NoPositions,
    RelativeBias,
    Rotary,
    Sinusoidal,
    Visibility,
    causal,
    fused,
    window,
)
from attn_course.models.gpt import GPT
from attn_course.tasks.last_time import NOTHING, SYMBOLS, any_time_accuracy, last_time_batch
from attn_course.training.history import History
from attn_course.training.loop import train
from attn_course.training.schedules import warmup_cosine

LENGTH, D_MODEL, HEADS = 48, 64, 4
LONGEST = 4 * LENGTH
STEPS, RATE, SEEDS = 1000, 3e-3, (0, 1, 2)
BIN = 8  # tokens: accuracies are means over so many places
TEXTS = 256  # held-out texts

ENCODINGS: dict[str, Callable[[], NoPositions]] = {
    "none": NoPositions,
    # Rows from LENGTH on are there and never trained: without them a longer text would be an error.
    "learned": lambda: Learned(LONGEST, D_MODEL),
    "sinusoidal": lambda: Sinusoidal(D_MODEL),
    "relative bias": lambda: RelativeBias(HEADS, farthest=LENGTH),
    "rotary": lambda: Rotary(D_MODEL // HEADS),
    "ALiBi": lambda: ALiBi(HEADS),
}
SHIFTED = ("learned", "sinusoidal")
VISIBLE: dict[str, Visibility] = {"plain": causal, "window": causal & window(LENGTH)}


def reader(encoding: NoPositions, seed: int = 0) -> GPT:
    """A GPT of two layers with this encoding, before its training."""
    torch.manual_seed(seed)
    return GPT(SYMBOLS, D_MODEL, HEADS, layers=2, positions=encoding, mechanism=fused, d_hidden=2 * D_MODEL)


def fit(model: GPT, seed: int = 0, steps: int = STEPS, shifted: bool = False, lr: float = RATE) -> History:
    """Train on texts of LENGTH tokens, in place."""

    def loss(model: GPT, generator: torch.Generator) -> Tensor:
        drawn = last_time_batch(generator, batch=32, length=LENGTH)
        at = torch.arange(LENGTH)
        if shifted:
            at = at + torch.randint(LONGEST - LENGTH + 1, (32, 1), generator=generator)
        scores = model(drawn.tokens, at=at)
        return F.cross_entropy(scores.flatten(0, 1), drawn.wanted.flatten(), ignore_index=NOTHING)

    history = train(model, loss, steps, lr=lr, seed=seed, schedule=warmup_cosine(100), clip=1.0)
    model.eval()
    return history


@torch.no_grad()
def answers(model: GPT, visible: Visibility = causal, length: int = LONGEST, texts: int = TEXTS) -> dict[str, list]:
    """Accuracy and loss (nats) on held-out texts, for each BIN places of the text."""
    drawn = last_time_batch(torch.Generator().manual_seed(1234), batch=texts, length=length)
    scores = model(drawn.tokens, visible=visible)
    losses = F.cross_entropy(scores.transpose(1, 2), drawn.wanted, ignore_index=NOTHING, reduction="none")
    asked = (drawn.wanted != NOTHING).float()
    return {
        "accuracy": _binned((scores.argmax(-1) == drawn.wanted).float() * asked, asked),
        "loss": _binned(losses, asked),
    }


def at_length(bins: list[float], length: int) -> float:
    """What was measured at the last places of a text of this length."""
    if length % BIN:
        raise ValueError(f"Places are counted by {BIN}, so a length should be a multiple of it, got {length}.")
    return bins[length // BIN - 1]


def measure() -> dict:
    """Every encoding, every seed; plain, with a window, and the absolute ones trained with shifted texts."""
    runs = [_run(name, seed, shifted) for seed in SEEDS for name, shifted in _kinds()]
    return {
        "settings": {
            "length": LENGTH, "longest": LONGEST, "symbols": SYMBOLS, "d_model": D_MODEL, "heads": HEADS, "layers": 2,
            "steps": STEPS, "batch": 32, "lr": RATE, "bin": BIN, "texts": TEXTS,
        },
        "seeds": list(SEEDS),
        "any time": [_rival(BIN * (b + 1)) for b in range(LONGEST // BIN)],
        "runs": runs,
    }  # fmt: skip


def _kinds() -> list[tuple[str, bool]]:
    return [(name, False) for name in ENCODINGS] + [(name, True) for name in SHIFTED]


def _run(name: str, seed: int, shifted: bool) -> dict:
    model = reader(ENCODINGS[name](), seed)
    history = fit(model, seed, shifted=shifted)
    seen = {how: answers(model, visible) for how, visible in VISIBLE.items()}
    return {"encoding": name, "seed": seed, "shifted": shifted, "trained loss": round(history.tail(), 4)} | seen


def _rival(length: int) -> float:
    """The accuracy of drawing one earlier occurrence at random, at the end of texts of this length."""
    return round(any_time_accuracy(last_time_batch(torch.Generator().manual_seed(1), 2000, length).tokens), 4)


def _binned(values: Tensor, asked: Tensor) -> list[float]:
    """Means over the places that were asked, for each BIN places."""
    sums, counts = (each.sum(0).unflatten(0, (-1, BIN)).sum(-1) for each in (values, asked))
    return [round(each, 4) for each in (sums / counts).tolist()]
