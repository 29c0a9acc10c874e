"""A query that asks for one key."""

import math

import torch
from torch import Tensor

from attn_course.coach.spec import FUSED, Case, Mistake, Task, random

ENOUGH = 0.99


def slow_query(keys: Tensor, wanted: int) -> Tensor:
    """The query whose score is 0 with every key but the wanted one."""
    n, d = keys.shape
    target = torch.zeros(n, dtype=keys.dtype)
    target[wanted] = math.log(200 * n) * math.sqrt(d)
    return torch.linalg.pinv(keys) @ target


def _spent(query: Tensor, keys: Tensor, wanted: int) -> Tensor:
    """What the query does: its attention over the keys."""
    return (keys.double() @ query.double() / math.sqrt(keys.shape[-1])).softmax(-1)


def _asked(seen: Tensor, target: Tensor) -> bool:
    """The wanted key is the one that the reference gives nearly everything to."""
    return bool(seen[target.argmax()] >= ENOUGH)


def _same_direction(a: Tensor, b: Tensor) -> bool:
    return torch.cosine_similarity(a.double(), b.double(), dim=0).item() > 0.999


def _how_much_it_got(query: Tensor, keys: Tensor, wanted: int) -> str | None:
    share = _spent(query, keys, wanted)
    if share[wanted] >= ENOUGH:
        return None
    other = share.argmax().item()
    winner = f"key {other} gets {share[other]:.2f}" if other != wanted else "it comes first, but not by enough"
    return f"Key {wanted} should get at least {ENOUGH} of the attention, it gets {share[wanted]:.2f}: {winner}."


_LONG = torch.tensor([[1.0, 0.0, 0.0], [3.0, 1.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)

TASK = Task(
    id="formula.query",
    reference=slow_query,
    cases=(
        Case("2 keys of length 2 at right angles, the first wanted", (2 * torch.eye(2, dtype=torch.float64), 0)),
        Case("3 keys, one of them long and nearly in the wanted direction", (_LONG, 0)),
        Case("4 random keys of length 6", (random(4, 6, seed=1), 2)),
        Case("5 random keys of length 16, the last wanted", (random(5, 16, seed=2), 4)),
        Case("3 short keys", (0.01 * random(3, 4, seed=3), 1)),
    ),
    axes=("key",),
    gradients=False,
    refused=FUSED,
    properties=(_how_much_it_got,),
    seen_through=_spent,
    accepts=_asked,
    family=_same_direction,
    mistakes=(
        Mistake(
            "the_key_itself",
            "The wanted key itself points the right way but is far too short: a score of a few units leaves most of "
            "the attention with the others. Make the query longer, and mind keys that are long themselves.",
            lambda keys, wanted: keys[wanted],
        ),
        Mistake(
            "long_key",
            "A long copy of the wanted key works while keys stand at right angles. A longer key in nearly the same "
            "direction outscores it: find a direction in which the *others* score low.",
            lambda keys, wanted: 100 * keys[wanted],
        ),
        Mistake(
            "unit_key",
            "You asked with the wanted key brought to length one. Scores are dot products: a query of length one can "
            "never reach a score large enough to take 99 %.",
            lambda keys, wanted: keys[wanted] / keys[wanted].norm(),
        ),
        Mistake(
            "solved_for_one",
            "You solved for a score of 1 at the wanted key and 0 elsewhere. The direction is right; the query is too "
            "short: e¹ against e⁰ is not 99 %.",
            lambda keys, wanted: torch.linalg.pinv(keys)[:, wanted],
        ),
        Mistake(
            "away_from_the_mean",
            "Away from the average key is a good guess when keys are alike in length, but one long key moves the "
            "average and still outscores the wanted one. Which query gives *every* other key the same score?",
            lambda keys, wanted: 1000 * (keys[wanted] - keys.mean(0)),
        ),
    ),
)
