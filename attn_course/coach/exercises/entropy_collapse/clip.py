"""QK-clip: a head whose scores have passed tau gets smaller projections (Kimi Team 2025, arXiv 2507.20534)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_clip(x: Tensor, w_q: Tensor, w_k: Tensor, heads: int, tau: float) -> Tensor:
    """Head by head, sentence by sentence, pair by pair."""
    d = w_q.shape[1] // heads
    clipped = torch.stack([w_q, w_k])
    for h in range(heads):
        own = slice(h * d, (h + 1) * d)
        largest = -math.inf
        for sentence in x:
            for i in range(len(sentence)):
                for j in range(i + 1):
                    score = (sentence[i] @ w_q[:, own]) @ (sentence[j] @ w_k[:, own]) / math.sqrt(d)
                    largest = max(largest, score.item())
        if largest > tau:
            clipped[:, :, own] *= math.sqrt(tau / largest)
    return clipped


def _heads_of(w: Tensor, heads: int) -> Tensor:
    """(d_model, head, d)."""
    return w.unflatten(-1, (heads, -1))


def _scores(x: Tensor, w_q: Tensor, w_k: Tensor, heads: int, split: Callable = _heads_of) -> Tensor:
    q, k = (torch.einsum("btm,mhd->bhtd", x, split(w, heads)) for w in (w_q, w_k))
    return q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])


def _causal(scores: Tensor) -> Tensor:
    n = scores.shape[-1]
    return scores.masked_fill(torch.ones(n, n, dtype=torch.bool).triu(1), -math.inf)


def _largest(scores: Tensor) -> Tensor:
    return _causal(scores).amax((0, 2, 3))


def _gamma(largest: Tensor, tau: float) -> Tensor:
    return torch.where(largest > tau, tau / largest, 1.0)


def _by_columns(w: Tensor, factor: Tensor, heads: int) -> Tensor:
    return w * factor.repeat_interleave(w.shape[1] // heads)


def _with(
    scores: Callable = _scores,
    largest: Callable = _largest,
    gamma: Callable = _gamma,
    on_q: Callable = torch.sqrt,
    on_k: Callable = torch.sqrt,
    times: Callable = _by_columns,
) -> Callable:
    """The solution with one part exchanged for a wrong one."""

    def answer(x, w_q, w_k, heads, tau):
        factor = gamma(largest(scores(x, w_q, w_k, heads)), tau)
        return torch.stack([times(w_q, on_q(factor), heads), times(w_k, on_k(factor), heads)])

    return answer


def _alternating(w: Tensor, factor: Tensor, heads: int) -> Tensor:
    return w * factor.repeat(w.shape[1] // heads)


def _unscaled(x, w_q, w_k, heads):
    return _scores(x, w_q, w_k, heads) * math.sqrt(w_q.shape[1] // heads)


def _scaled_by_the_model(x, w_q, w_k, heads):
    return _unscaled(x, w_q, w_k, heads) / math.sqrt(w_q.shape[1])


def _all_alike(largest: Tensor, tau: float) -> Tensor:
    return _gamma(largest.max(), tau).expand(len(largest))


def _stays_below(out: Tensor, x: Tensor, w_q: Tensor, w_k: Tensor, heads: int, tau: float) -> str | None:
    before, after = (_largest(_scores(x, *pair, heads)) for pair in ((w_q, w_k), out))
    wrong = ((after > tau * (1 + 1e-9)) & (before > tau)).nonzero()
    if len(wrong):
        h = int(wrong[0])
        return f"The largest score of head {h} was {before[h]:.3g}, and is {after[h]:.3g} with your weights: above tau."
    quiet = before <= tau
    moved = ((after - before).abs() > 1e-9) & quiet
    if moved.any():
        h = int(moved.nonzero()[0])
        return f"Head {h} has no score above tau, so its weights stay as they are. Its largest score has changed."
    return None


def _case(name: str, batch: int, n: int, heads: int, d: int, loud: tuple[float, ...], tau: float, change=None) -> Case:
    """Projections of d_model = heads · d + 1 features; head h is `loud[h]` times as loud as usual."""
    width, seed = heads * d + 1, 100 * heads + 10 * d + n
    x = random(batch, n, width, seed=seed)
    loud = torch.tensor(loud, dtype=torch.float64).repeat_interleave(d)
    w_q, w_k = (loud.sqrt() * random(width, heads * d, seed=seed + each) / width**0.5 for each in (1, 2))
    if change is not None:
        change(x, w_q, w_k)
    return Case(name, (x, w_q, w_k, heads, tau))


def _opposed(x: Tensor, w_q: Tensor, w_k: Tensor) -> None:
    """Each token's key is the opposite of its query."""
    w_k.copy_(-w_q)


def _only_the_future(x: Tensor, w_q: Tensor, w_k: Tensor) -> None:
    """The first token asks for what the last one has; what may be looked at stays small."""
    w_q.zero_()
    w_k.zero_()
    w_q[0, 0] = w_k[1, 0] = 1.0
    x.zero_()
    x[0, 0, 0] = 9.0
    x[0, -1, 1] = 9.0
    x[0, :, 2] = 1.0
    w_q[2, 1] = w_k[2, 1] = 0.5


TASK = Task(
    id="entropy-collapse.clip",
    reference=slow_clip,
    cases=(
        _case("1 head above tau, 1 sentence of 2 tokens", 1, 2, 1, 2, (20.0,), 1.0),
        _case("1 head below tau: nothing changes", 1, 3, 1, 2, (0.1,), 5.0),
        _case("1 head, every score negative: nothing changes", 1, 1, 1, 3, (5.0,), 0.5, _opposed),
        _case(
            "1 head, a score above tau only in the future: nothing changes", 1, 3, 1, 2, (1.0,), 2.0, _only_the_future
        ),
        _case("2 heads, the first above tau", 1, 3, 2, 2, (30.0, 0.3), 3.0),
        _case("2 heads, both above tau, 3 sentences", 3, 4, 2, 3, (30.0, 9.0), 1.0),
        _case("3 heads, the last above tau, 2 sentences of 5 tokens", 2, 5, 3, 2, (0.2, 0.4, 40.0), 4.0),
    ),
    axes=("matrix", "feature", "column"),
    gradients=False,
    properties=(_stays_below,),
    mistakes=(
        Mistake(
            "gamma_on_both",
            "Both matrices were multiplied by tau/largest, so the scores are multiplied by its square. Each gets the "
            "root.",
            _with(on_q=lambda g: g, on_k=lambda g: g),
        ),
        Mistake(
            "queries_alone",
            "Only w_q was changed. The scores are right, but next to small queries the keys stay large: share it, √γ "
            "on each.",
            _with(on_q=lambda g: g, on_k=torch.ones_like),
        ),
        Mistake(
            "keys_alone",
            "Only w_k was changed. The scores are right, but next to small keys the queries stay large: share it, √γ "
            "on each.",
            _with(on_q=torch.ones_like, on_k=lambda g: g),
        ),
        Mistake(
            "quiet_heads_too",
            "A head whose largest score is below tau was made louder. QK-clip only turns down: γ is 1 there.",
            _with(gamma=lambda largest, tau: tau / largest),
        ),
        Mistake(
            "all_heads_alike",
            "You took the largest score of all heads together, and turned every head down. A quiet head did nothing: "
            "each has its own γ.",
            _with(gamma=_all_alike),
        ),
        Mistake(
            "future",
            "A score that no query may look at was counted. Attention is causal: token i sees the tokens 0 … i.",
            _with(largest=lambda scores: scores.amax((0, 2, 3))),
        ),
        Mistake(
            "sizes",
            "You took the largest absolute value. A score far below zero gives its key no weight, and does no harm: "
            "the largest score counts.",
            _with(largest=lambda scores: _causal(scores).nan_to_num(neginf=0.0).abs().amax((0, 2, 3))),
        ),
        Mistake(
            "first_sentence",
            "Only the first sentence was looked at. The largest score is that of the whole batch.",
            _with(largest=lambda scores: _causal(scores)[0].amax((1, 2))),
        ),
        Mistake(
            "no_scale",
            "The scores are not divided by √d. tau bounds what goes into the softmax.",
            _with(scores=_unscaled),
        ),
        Mistake(
            "scale_of_all_heads",
            "You divided by the root of all columns. Each head has columns / heads features, d, and its scores are "
            "divided by √d.",
            _with(scores=_scaled_by_the_model),
        ),
        Mistake(
            "alternating_columns",
            "The factors went to the columns in turn: 0, 1, 0, 1 … A head owns d columns side by side: "
            "repeat_interleave, not repeat.",
            _with(times=_alternating),
        ),
        Mistake(
            "upside_down",
            "largest/tau makes a loud head louder. γ is tau/largest, below 1.",
            _with(gamma=lambda largest, tau: torch.where(largest > tau, largest / tau, 1.0)),
        ),
        Mistake(
            "weights_cut",
            "You cut off the weights themselves at tau. It is the scores that tau bounds; the weights keep their "
            "proportions.",
            lambda x, w_q, w_k, heads, tau: torch.stack([w_q.clamp(-tau, tau), w_k.clamp(-tau, tau)]),
        ),
    ),
)
