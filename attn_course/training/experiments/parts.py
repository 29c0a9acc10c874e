"""What a block misses when one part is taken out: translators that learn for 150 steps without it, three seeds each."""

import torch
from torch import nn

from attn_course.attention import NoPositions
from attn_course.models.attention_only import NoFeedForward
from attn_course.models.blocks import PreNorm
from attn_course.tasks.translation import numbers, pairs
from attn_course.training.history import History
from attn_course.training.loop import train
from attn_course.training.recipes.translation import translator
from attn_course.training.schedules import warmup
from attn_course.training.translating import exact_match, loss_on

SEEDS, STEPS, TAIL = (0, 1, 2), 150, 20


class NoResidual(PreNorm):
    """f(norm(x)) instead of x + f(norm(x)): what a part does not pass on is lost."""

    def forward(self, x, visible=None, memory=None, memory_visible=None, cache=None, at=None):
        x = self.attention(self.norm_attention(x), visible=visible, cache=cache, at=at)
        if self.cross is not None:
            x = self.cross(self.norm_cross(x), memory, memory_visible)
        return self.feed_forward(self.norm_feed_forward(x))


WITHOUT = {
    "nothing": {},
    "normalisation": {"norm": lambda d_model: nn.Identity()},
    "feed-forward": {"feed_forward": NoFeedForward},
    "positions": {"positions": NoPositions()},
    "residual": {"block": NoResidual},
}


def learn(without: str = "nothing", steps: int = STEPS, seed: int = 0) -> tuple[nn.Module, History]:
    """Train a fresh translator of the lesson's size that lacks this part ("nothing": the whole one)."""
    if without not in WITHOUT:
        raise ValueError(f"without should be one of {', '.join(WITHOUT)}, got {without!r}.")
    torch.manual_seed(seed)
    model = translator(**WITHOUT[without])
    history = train(model, loss_on(pairs(numbers()[0])), steps, lr=3e-3, seed=seed, schedule=warmup(40))
    return model.eval(), history


def measure(seeds: tuple[int, ...] = SEEDS, steps: int = STEPS) -> dict:
    """Rows: "loss", the mean of the last 20 steps (nats a word), and "exact", the share of 300 unseen numbers."""
    unseen = pairs(numbers()[1])[:300]
    rows = []
    for without in WITHOUT:
        for seed in seeds:
            model, history = learn(without, steps, seed)
            exact = exact_match(model, unseen)
            rows.append(
                {"without": without, "seed": seed, "loss": round(history.tail(TAIL), 4), "exact": round(exact, 4)}
            )
    return {"settings": {"steps": steps, "tail": TAIL, "unseen": len(unseen)}, "rows": rows}
