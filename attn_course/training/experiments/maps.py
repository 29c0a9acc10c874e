"""Do maps name the token that an answer comes from? Two kinds of induction model, three seeds; and one head exchanged.

Rows repeat after 32 tokens, so the token that follows stands 31 places back. Where the upper layer looks as it answers,
which exchanged token changes the answer, and what a model says with lower heads taken from its run on other rows.
"""

from itertools import combinations

import torch
from jaxtyping import Int
from torch import Tensor, nn

from attn_course.attention import patching, silencing, watching
from attn_course.tasks.induction import VOCABULARY, induction_batch, previous_token, repeat_accuracy
from attn_course.training.recipes.induction import FIXED, HEADS, RECIPES, STEPS

KINDS, SEEDS, LASTS = ("induction-fixed-period", "induction"), (0, 1, 2), (44, 50, 58)
LOWER = "stack.blocks.0.attention"
Rows = Int[Tensor, "row token"]


def exchanged(rows: Rows, place: int) -> Rows:
    """The rows with another token, drawn at random, at this place."""
    other = rows.clone()
    dice = torch.Generator().manual_seed(place)
    other[:, place] += torch.randint(1, VOCABULARY, (len(rows),), generator=dice)
    return other % VOCABULARY


@torch.no_grad()
def pointed(model: nn.Module, rows: Rows) -> dict[str, float]:
    """What the upper layer's map names as the model answers the last token, and what exchanging tokens does.

    "top", "source": the place with most of its attention, and the place where the answer stands; with the share that
    each gets ("looked at …"), and the share of the answers that change when the token there is exchanged ("changed …").
    """
    read, wanted = rows[:, :-1], rows[:, -1]
    with watching(model) as records:
        said = model(read)[:, -1].argmax(dim=-1)
    share = records[1].weights[:, :, -1].mean(dim=(0, 1))  # (place,)
    places = {"top": share.argmax().item(), "source": read.shape[1] - FIXED}
    found = {"right": (said == wanted).float().mean().item(), **places}
    for name, place in places.items():
        after = model(exchanged(read, place))[:, -1].argmax(dim=-1)
        found |= {f"looked at {name}": share[place].item(), f"changed {name}": (after != said).float().mean().item()}
    return found


@torch.no_grad()
def crossed(model: nn.Module, rows: int = 200) -> list[dict]:
    """What is said with some lower heads taken from a run on other rows: for each set of heads, small ones first.

    "predicted": share of answers that are a[q + 1], with q the place at which the other rows hold the present token of
    rows a; "kept": of those that are right still. Over the places whose token the other rows hold, from round two on.
    """
    a, b = (induction_batch(torch.Generator().manual_seed(seed), rows, FIXED).tokens for seed in (1, 2))
    stands = b[:, None, :FIXED] == a[:, FIXED + 1 : -1, None]  # (row, place, place in b's first round)
    known = stands.any(dim=-1)
    wanted = {"predicted": a.gather(1, stands.int().argmax(dim=-1) + 1), "kept": a[:, FIXED + 2 :]}
    with watching(model) as of_b:
        model(b[:, :-1])
    found = []
    for heads in (list(some) for n in range(1, HEADS + 1) for some in combinations(range(HEADS), n)):
        with patching(model, {LOWER: heads}, of_b):
            said = model(a[:, :-1])[:, FIXED + 1 :].argmax(dim=-1)
        shares = {name: (said == those)[known].float().mean().item() for name, those in wanted.items()}
        found.append({"heads": heads} | shares)
    return found


@torch.no_grad()
def alone(model: nn.Module, rows: int = 200) -> list[dict[str, float]]:
    """For each lower head: how much it looks at the token before, and what is right without it."""
    batch = induction_batch(torch.Generator().manual_seed(1), rows, FIXED)
    with watching(model) as own:
        model(batch.tokens[:, :-1])
    found = []
    for head, before in enumerate(previous_token(own[0].weights).tolist()):
        with silencing(model, {LOWER: [head]}):
            right = repeat_accuracy(model(batch.tokens[:, :-1]), batch)
        found.append({"looks at the token before": before, "right without it": right})
    return found


def measure(seeds: tuple[int, ...] = SEEDS, steps: int = STEPS, rows_crossed: int = 200) -> dict:
    """Rows of (model, seed): "pointed" at each last place, and of the lower layer "alone" and "crossed"."""
    drawn = induction_batch(torch.Generator().manual_seed(7), 100, FIXED).tokens
    rows = []
    for kind in KINDS:
        for seed in seeds:
            torch.manual_seed(seed)
            model = RECIPES[kind].make()
            RECIPES[kind].fit(model, steps=steps, seed=seed, every=steps)
            model.eval()
            at = {str(last): _rounded(pointed(model, drawn[:, : last + 2])) for last in LASTS}
            lower = {
                "alone": [_rounded(head) for head in alone(model, rows_crossed)],
                "crossed": [_rounded(heads) for heads in crossed(model, rows_crossed)],
            }
            rows.append({"model": kind, "seed": seed, "pointed": at} | lower)
    return {"settings": {"steps": steps, "heads": HEADS, "period": FIXED, "rows": len(drawn)}, "rows": rows}


def _rounded(found: dict) -> dict:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in found.items()}
