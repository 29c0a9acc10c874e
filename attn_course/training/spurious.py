"""Train the small encoder on sentences with a shortcut, by a remedy of `training.remedies` or by none.

model = learn("plain", seed=0)            # seconds; the split of that seed, unless another is given
look(model, split(0))                     # `training.spurious_measures`
"""

import torch
from torch import Tensor, nn

from attn_course.models.encoder import Encoder
from attn_course.tasks.marker import Marked, Split, split
from attn_course.training.history import History
from attn_course.training.loop import train
from attn_course.training.remedies import REMEDIES, Remedy
from attn_course.training.schedules import warmup_cosine
from attn_course.training.shortcut_model import D_MODEL, make, maps, on_marker, scores

__all__ = ["FINE_TUNING", "fit", "learn", "make", "maps", "names", "on_marker", "scores", "trimmed"]

STEPS, RATE = 250, 2e-3
FINE_TUNING = "fine-tuning"
TUNING_STEPS, TUNING_RATE = 100, 1e-3


def names() -> tuple[str, ...]:
    """What `learn` can be asked for."""
    return (*REMEDIES, FINE_TUNING)


def fit(
    model: nn.Module, known: Marked, remedy: str | Remedy = "plain", seed: int = 0, steps: int = STEPS, lr: float = RATE
) -> History:
    """Train in place on these sentences by a remedy of REMEDIES, or one of your own."""
    if isinstance(remedy, str) and remedy not in REMEDIES:
        raise ValueError(f"remedy should be one of {', '.join(REMEDIES)}; got {remedy!r}.")
    if len(known) == 0 or steps < 1:
        raise ValueError(f"At least one sentence and one step are needed, got {len(known)} and {steps!r}.")
    way = REMEDIES[remedy] if isinstance(remedy, str) else remedy
    loss = way.loss(known)

    def loss_of_batch(model: nn.Module, generator: torch.Generator) -> Tensor:
        return loss(model, trimmed(known[way.draw(known, generator)]))

    return train(model, loss_of_batch, steps, lr, seed, schedule=warmup_cosine(20), weight_decay=way.decay)


def trimmed(batch: Marked) -> Marked:
    """Without the columns in which every row is only filled up: the same answers in less time."""
    if len(batch) == 0:
        raise ValueError("Give at least one sentence.")
    longest = int(batch.keep.sum(1).max())
    return Marked(batch.tokens[:, :longest], batch.labels, batch.markers, batch.at)


def learn(
    remedy: str | Remedy = "plain",
    seed: int = 0,
    data: Split | None = None,
    steps: int = STEPS,
    d_model: int = D_MODEL,
) -> Encoder:
    """Make a model, train it on `data.known` (of `split(seed)` unless given) by one remedy; in evaluation mode.

    "fine-tuning": trained plainly, then for 100 steps on `data.balanced`, 60 other sentences in which the marker says
    nothing. Raises ValueError for an unknown remedy.
    """
    if isinstance(remedy, str) and remedy not in names():
        raise ValueError(f"remedy should be one of {', '.join(names())}; got {remedy!r}.")
    data = split(seed) if data is None else data
    model = make(seed, d_model)
    fit(model, data.known, "plain" if remedy == FINE_TUNING else remedy, seed, steps)
    if remedy == FINE_TUNING:
        fit(model, data.balanced, "plain", seed + 1, TUNING_STEPS, TUNING_RATE)
    return model.eval()
